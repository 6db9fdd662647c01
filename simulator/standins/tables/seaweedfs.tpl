{{- define "seaweedfs.image" -}}
{{- $name := .Values.image.repository | default .Values.global.seaweedfs.image.name -}}
{{- with .Values.global.imageRegistry | default .Values.image.registry }}{{ . }}/{{ end }}{{ $name }}:{{ .Values.image.tag | default .Chart.AppVersion -}}
{{- end -}}

{{- /* a security context has a switch of its own among its fields */ -}}
{{- define "seaweedfs.security" -}}
{{- if .enabled }}{{ omit . "enabled" | toYaml }}{{ end -}}
{{- end -}}

{{- /* (root component given): what is given is a template, as upstream has it; an empty one means none */ -}}
{{- define "seaweedfs.affinity" -}}
{{- $given := index . 2 -}}
{{- if kindIs "invalid" $given }}
podAntiAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
  - labelSelector:
      matchLabels:
        app.kubernetes.io/name: seaweedfs
        app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
        app.kubernetes.io/component: {{ index . 1 }}
    topologyKey: kubernetes.io/hostname
{{- else if $given }}
{{ tpl $given (index . 0) }}
{{- end }}
{{- end -}}

{{- /* (root name storage claim): a volume of the kind that its storage asks for */ -}}
{{- define "seaweedfs.data" -}}
{{- $storage := index . 2 -}}
name: {{ index . 1 }}
{{- if eq $storage.type "persistentVolumeClaim" }}
persistentVolumeClaim: {claimName: {{ index . 3 }}}
{{- else if eq $storage.type "hostPath" }}
hostPath: {path: "{{ $storage.hostPathPrefix }}/{{ (index . 0).Release.Namespace }}/{{ index . 1 }}", type: DirectoryOrCreate}
{{- else }}
emptyDir: {}
{{- end }}
{{- end -}}

{{- /* (root data-name component logs-name): the volumes that no claim template makes */ -}}
{{- define "seaweedfs.volumes" -}}
{{- $parts := . -}}
{{- with index . 2 }}
{{- if and (index $parts 1) (ne .data.type "persistentVolumeClaim") }}
- {{ include "seaweedfs.data" (list (index $parts 0) (index $parts 1) .data "") | fromYaml | toJson }}
{{- end }}
{{- if ne .logs.type "persistentVolumeClaim" }}
- {{ include "seaweedfs.data" (list (index $parts 0) (index $parts 3) .logs "") | fromYaml | toJson }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "seaweedfs.mounts" -}}
{{- range .Values.volume.dataDirs }}
- {name: {{ .name }}, mountPath: /{{ .name }}/}
{{- end }}
{{- end -}}

{{- define "seaweedfs.dirs" -}}
{{- range .Values.volume.dataDirs }}
{{- if ne .type "persistentVolumeClaim" }}
- {{ include "seaweedfs.data" (list $ .name . "") | fromYaml | toJson }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "seaweedfs.claims" -}}
{{- range .Values.volume.dataDirs }}
{{- if eq .type "persistentVolumeClaim" }}
- metadata: {name: {{ .name }}}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ .size }}}}
{{- end }}
{{- end }}
{{- end -}}
