{{- define "dsdeploy.name" -}}
{{- printf "%s-dsdeploy" .Release.Name | replace "dsdeploy-dsdeploy" "dsdeploy" | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "dsdeploy.selector" -}}
app.kubernetes.io/name: dsdeploy
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dsdeploy.labels" -}}
{{ include "dsdeploy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The engine that answers: every pod of a Deployment, the leaders of a LeaderWorkerSet. */}}
{{- define "dsdeploy.engineSelector" -}}
{{ include "dsdeploy.selector" . }}
app.kubernetes.io/component: engine
dsdeploy.io/role: leader
{{- end -}}

{{- define "dsdeploy.engineHost" -}}
{{- printf "%s-engine-pods.%s.svc.%s" (include "dsdeploy.name" .) .Release.Namespace .Values.global.clusterDomain -}}
{{- end -}}

{{- define "dsdeploy.maxReplicas" -}}
{{- if eq .Values.autoscaling.kind "none" }}{{ .Values.engine.replicas }}{{ else }}{{ .Values.autoscaling.maxReplicas }}{{ end -}}
{{- end -}}

{{- define "dsdeploy.weightsBytes" -}}
{{- $sum := 0 -}}
{{- range .Values.weights.files }}{{ $sum = add $sum (int64 .sizeBytes) }}{{ end -}}
{{- $sum -}}
{{- end -}}

{{/* ONE budget, in seconds. Verifying: the bytes that are hashed over the hashing rate. Starting: 1.5 x the bytes over the
disk's rate, and what the engine does besides; 1800 at least above 300 GB. All: also the image's pull. */}}
{{- define "dsdeploy.verifySeconds" -}}
{{- $bytes := include "dsdeploy.weightsBytes" . | int64 -}}
{{- if eq .Values.weights.verify.policy "sample" }}{{ $bytes = min $bytes (int64 .Values.weights.verify.sampleBytes) }}{{ end -}}
{{- add1 (div $bytes (int64 .Values.loadBudget.verifyBytesPerSecond)) -}}
{{- end -}}

{{- define "dsdeploy.startSeconds" -}}
{{- $bytes := include "dsdeploy.weightsBytes" . | int64 -}}
{{- $read := add1 (div (div (mul 3 $bytes) 2) (int64 .Values.loadBudget.readBytesPerSecond)) -}}
{{- max (add $read (int64 .Values.loadBudget.engineSeconds)) (ternary 1800 60 (gt $bytes (int64 300000000000))) -}}
{{- end -}}

{{- define "dsdeploy.loadSeconds" -}}
{{- add (int64 .Values.loadBudget.imagePullSeconds) (include "dsdeploy.verifySeconds" . | int64) (include "dsdeploy.startSeconds" . | int64) -}}
{{- end -}}

{{/* What an install may take: the budget, and a tenth for scheduling. Helm's --timeout must be no shorter. */}}
{{- define "dsdeploy.timeoutSeconds" -}}
{{- $load := include "dsdeploy.loadSeconds" . | int64 -}}
{{- add $load (div $load 10) 120 -}}
{{- end -}}

{{- define "dsdeploy.budgetAnnotations" -}}
dsdeploy.io/verify-seconds: {{ include "dsdeploy.verifySeconds" . | quote }}
dsdeploy.io/start-seconds: {{ include "dsdeploy.startSeconds" . | quote }}
dsdeploy.io/load-seconds: {{ include "dsdeploy.loadSeconds" . | quote }}
dsdeploy.io/timeout-seconds: {{ include "dsdeploy.timeoutSeconds" . | quote }}
{{- end -}}

{{/* The metric names of the release's engine, or an empty map. */}}
{{- define "dsdeploy.metrics" -}}
{{- get (.Files.Get "files/monitoring/metrics.json" | fromJson) .Values.engine.name | toJson -}}
{{- end -}}

{{- define "dsdeploy.tlsSecret" -}}
{{- .Values.gateway.tls.existingSecret | default (printf "%s-gateway-tls" (include "dsdeploy.name" .)) -}}
{{- end -}}

{{- define "dsdeploy.dnsEgress" -}}
- to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ .Values.networkPolicy.dns.namespace | quote }}}}
      podSelector: {matchLabels: {{ toJson .Values.networkPolicy.dns.podLabels }}}
    {{- range .Values.networkPolicy.dns.cidrs }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{- define "dsdeploy.monitoringPeer" -}}
- namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ .Values.networkPolicy.monitoring.namespace | quote }}}}
  podSelector: {matchLabels: {{ toJson .Values.networkPolicy.monitoring.podLabels }}}
{{- end -}}

{{- define "dsdeploy.scaleTarget" -}}
{{- if gt (int64 .Values.parallelism.nodes) 1 -}}
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
{{- else -}}
apiVersion: apps/v1
kind: Deployment
{{- end }}
name: {{ include "dsdeploy.name" . }}-engine
{{- end -}}
