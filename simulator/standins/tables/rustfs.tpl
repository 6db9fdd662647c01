{{- define "rustfs.volumes" -}}
{{- if .Values.config.rustfs.volumes }}{{ .Values.config.rustfs.volumes }}
{{- else if .Values.mode.standalone.enabled }}/data
{{- else }}{{ printf "http://%s-{0...%d}.%[1]s-headless.%[3]s.svc.cluster.local:9000/data" (include "standin.fullname" .) (sub (int .Values.replicaCount) 1) .Release.Namespace }}
{{- end }}
{{- end -}}

{{- define "rustfs.affinity" -}}
{{- with .Values.affinity.nodeAffinity }}
nodeAffinity: {{ toJson . }}
{{- end }}
{{- if .Values.affinity.podAntiAffinity.enabled }}
podAntiAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
  - labelSelector:
      matchExpressions:
      - {key: app.kubernetes.io/name, operator: In, values: [rustfs]}
    topologyKey: {{ .Values.affinity.podAntiAffinity.topologyKey }}
{{- end }}
{{- end -}}

{{- define "rustfs.strategy" -}}
{{- with .Values.mode.standalone.strategy -}}
{{- ternary (omit . "rollingUpdate") . (eq .type "Recreate") | toYaml -}}
{{- end -}}
{{- end -}}
