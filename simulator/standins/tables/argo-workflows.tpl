{{- define "argo.tag" -}}
{{- .Values.images.tag | default .Chart.AppVersion -}}
{{- end -}}

{{- define "argo.modes" -}}
{{- range .Values.server.authModes }}
- {{ printf "--auth-mode=%s" . }}
{{- end }}
{{- end -}}

{{- /* The artifact repository without the providers that are not set. */ -}}
{{- define "argo.repository" -}}
{{- range $key, $value := .Values.artifactRepository }}
{{- if $value }}
{{ dict $key $value | toYaml }}
{{- end }}
{{- end }}
{{- end -}}
