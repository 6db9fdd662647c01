{{- define "kps.prometheus" -}}
{{ include "standin.fullname" . }}{{ if not .Values.cleanPrometheusOperatorObjectNames }}-prometheus{{ end }}
{{- end -}}

{{- define "kps.alertmanager" -}}
{{ include "standin.fullname" . }}{{ if not .Values.cleanPrometheusOperatorObjectNames }}-alertmanager{{ end }}
{{- end -}}

{{- define "kps.grafana.namespace" -}}
{{ .Values.grafana.namespaceOverride | default (include "standin.namespace" .) }}
{{- end -}}

{{- define "kps.grafana.secret" -}}
{{ .Values.grafana.admin.existingSecret | default (printf "%s-grafana" .Release.Name) }}
{{- end -}}

{{- define "kps.exporter.namespace" -}}
{{ (get .Values "prometheus-node-exporter").namespaceOverride | default (include "standin.namespace" .) }}
{{- end -}}

{{- /* What a spec was given, without what is empty and without the keys that are no fields of the resource. */ -}}
{{- define "kps.given" -}}
{{- $own := list "image" "podAntiAffinity" "podAntiAffinityTopologyKey" "storageSpec" "affinity" "serviceAccountName" "useExistingSecret" -}}
{{- $own = concat $own (list "scheme" "tlsConfig" "disableAlerting" "alertingEndpoints" "remoteWriteDashboards" "additionalConfig") -}}
{{- range $key, $value := . }}
{{- $setting := or (has $key $own) (hasPrefix "additional" $key) (hasSuffix "NilUsesHelmValues" $key) (hasSuffix "LabelNameClear" $key) }}
{{- if and (not $setting) (or $value (kindIs "bool" $value)) }}
{{ dict $key $value | toYaml }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* (spec label-key name): spread over topologyKey, softly, hard or not at all */ -}}
{{- define "kps.affinity" -}}
{{- $spec := index . 0 -}}
{{- $app := ternary "alertmanager" "prometheus" (eq (index . 1) "alertmanager") -}}
{{- $labels := dict "matchExpressions" (list (dict "key" "app.kubernetes.io/name" "operator" "In" "values" (list $app)) (dict "key" (index . 1) "operator" "In" "values" (list (index . 2)))) -}}
{{- $term := dict "topologyKey" $spec.podAntiAffinityTopologyKey "labelSelector" $labels -}}
{{- if $spec.affinity }}
{{ toYaml $spec.affinity }}
{{- else if eq $spec.podAntiAffinity "hard" }}
{{ dict "podAntiAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term)) | toYaml }}
{{- else if eq $spec.podAntiAffinity "soft" }}
{{ dict "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" (list (dict "weight" 100 "podAffinityTerm" $term))) | toYaml }}
{{- end }}
{{- end -}}

{{- /* (root key): every object, or only this release's, as the value of that name says */ -}}
{{- define "kps.selector" -}}
{{- $spec := (index . 0).Values.prometheus.prometheusSpec -}}
{{- $given := get $spec (index . 1) -}}
{{- if $given }}{{ toYaml $given }}
{{- else if get $spec (printf "%sNilUsesHelmValues" (index . 1)) }}matchLabels: {release: {{ (index . 0).Release.Name }}}
{{- else }}{}
{{- end }}
{{- end -}}

{{- define "kps.reloader" -}}
{{- with .Values.prometheusOperator.prometheusConfigReloader }}
- --prometheus-config-reloader={{ include "standin.image" (list .image $.Chart.AppVersion) }}
- --thanos-default-base-image=quay.io/thanos/thanos:v0.42.4
- --config-reloader-cpu-request={{ ((.resources).requests).cpu | default 0 }}
- --config-reloader-cpu-limit={{ ((.resources).limits).cpu | default 0 }}
- --config-reloader-memory-request={{ ((.resources).requests).memory | default 0 }}
- --config-reloader-memory-limit={{ ((.resources).limits).memory | default 0 }}
{{- end }}
{{- end -}}

{{- define "kps.ini" -}}
{{- range $section, $entries := get .Values.grafana "grafana.ini" -}}
[{{ $section }}]
{{ range $key, $value := $entries }}{{ $key }} = {{ $value }}
{{ end -}}
{{ end -}}
{{- end -}}

{{- define "kps.emptydirs" -}}
{{- range .Values.grafana.extraEmptyDirMounts }}
- {name: {{ .name }}, emptyDir: {}}
{{- end }}
{{- end -}}
