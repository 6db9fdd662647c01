{{- define "minio.strategy" -}}
{{- with .Values.deploymentUpdate }}
type: {{ .type }}
{{- if eq .type "RollingUpdate" }}
rollingUpdate: {maxSurge: {{ .maxSurge }}, maxUnavailable: {{ .maxUnavailable }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "minio.command" -}}
{{- printf "/usr/bin/docker-entrypoint.sh minio server http://%s-{0...%d}.%[1]s-svc.%[3]s.svc/export -S /etc/minio/certs/ --address :9000 --console-address :9001" (include "standin.fullname" .) (sub (int .Values.replicas) 1) .Release.Namespace -}}
{{- end -}}
