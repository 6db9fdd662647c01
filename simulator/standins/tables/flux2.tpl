{{- define "flux.image" -}}
{{ .image }}{{ ternary "@" ":" (hasPrefix "sha256:" .tag) }}{{ .tag }}
{{- end -}}
