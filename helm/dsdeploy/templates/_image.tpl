{{/* One image by digest; a mirror replaces its registry. Takes (dict "image" … "global" …). */}}
{{- define "dsdeploy.image" -}}
{{- $registry := .global.imageRegistry | default .image.registry | trimSuffix "/" -}}
{{- with $registry }}{{ . }}/{{ end }}{{ .image.repository }}@{{ .image.digest -}}
{{- end -}}

{{- define "dsdeploy.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}
