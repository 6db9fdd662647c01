{{- define "nats.image" -}}
{{- with .registry }}{{ . }}/{{ end }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end -}}
{{- end -}}

{{- define "nats.routes" -}}
{{- range $peer := until (int .Values.config.cluster.replicas) }}
- {{ printf "nats://%s-%d.%[1]s-headless:%[3]d" (include "standin.fullname" $) $peer (int $.Values.config.cluster.port) }}
{{- end }}
{{- end -}}

{{- define "nats.env" -}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: SERVER_NAME, value: $(POD_NAME)}
{{- range $name, $value := .Values.container.env }}
{{- if kindIs "map" $value }}
- {{ merge (dict "name" $name) $value | toJson }}
{{- else }}
- {{ dict "name" $name "value" (toString $value) | toJson }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "nats.spread" -}}
{{- $selector := dict "matchLabels" (dict "app.kubernetes.io/component" "nats" "app.kubernetes.io/name" "nats" "app.kubernetes.io/instance" .Release.Name) -}}
{{- range $key, $value := .Values.podTemplate.topologySpreadConstraints }}
- {{ merge (dict "topologyKey" $key "labelSelector" $selector) $value | toJson }}
{{- end }}
{{- end -}}

{{- /* What stands in << >> is written bare: sizes and variables of the server's own syntax. */ -}}
{{- define "nats.unquote" -}}
{{- regexReplaceAll "\"\\\\u003c\\\\u003c (.*?) \\\\u003e\\\\u003e\"" . "${1}" -}}
{{- end -}}
