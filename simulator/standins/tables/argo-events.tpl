{{- /* (root component): the component's own image where it has one */ -}}
{{- define "events.image" -}}
{{- $global := (index . 0).Values.global.image -}}
{{- $own := (index . 1).image -}}
{{- $own.repository | default $global.repository -}}:{{- $own.tag | default $global.tag | default (index . 0).Chart.AppVersion -}}
{{- end -}}

{{- /* One replica elects no leader. */ -}}
{{- define "events.args" -}}
- controller
{{- if eq (int .Values.controller.replicas) 1 }}
- --leader-election=false
{{- end }}
{{- if .Values.controller.rbac.namespaced }}
- --namespaced
{{- end }}
{{- end -}}
