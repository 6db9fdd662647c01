{{- /* Helpers of every stand-in chart. Lists are (arguments…), the last one an indent where there is one. */ -}}

{{- define "standin.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}{{ .Release.Name }}
{{- else }}{{ printf "%s-%s" .Release.Name $name }}
{{- end -}}
{{- end -}}

{{- define "standin.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- /* (key value indent): one entry of a map; nothing when there is no such value */ -}}
{{- define "standin.entry" -}}
{{- if not (kindIs "invalid" (index . 1)) -}}
{{- dict (index . 0) (index . 1) | toYaml | nindent (int (index . 2)) -}}
{{- end -}}
{{- end -}}

{{- /* (value indent): one item of a list */ -}}
{{- define "standin.item" -}}
{{- if not (kindIs "invalid" (index . 0)) -}}
{{- list (index . 0) | toYaml | nindent (int (index . 1)) -}}
{{- end -}}
{{- end -}}

{{- /* (list indent): all items of a list */ -}}
{{- define "standin.items" -}}
{{- with index . 0 }}{{ toYaml . | nindent (int (index $ 1)) }}{{ end -}}
{{- end -}}

{{- /* (YAML map indent): a map with another one merged over it, as upstream's `merge` values do */ -}}
{{- define "standin.merge" -}}
{{- mergeOverwrite (fromYaml (index . 0)) (deepCopy (index . 1 | default dict)) | toYaml | nindent (int (index . 2)) -}}
{{- end -}}

{{- /* (image default-tag): a reference out of registry, repository, tag, digest (with its algorithm) and sha (bare) */ -}}
{{- define "standin.image" -}}
{{- $image := index . 0 -}}
{{- with $image.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}:{{- $image.tag | default (index . 1) -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- with $image.sha }}@{{ if hasPrefix "sha256:" . }}{{ . }}{{ else }}sha256:{{ . }}{{ end }}{{ end -}}
{{- end -}}
