{{/* Pod Security "restricted", and more; no value loosens it. */}}
{{- define "dsdeploy.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
hostNetwork: false
hostPID: false
hostIPC: false
securityContext:
  runAsNonRoot: true
  {{- with .Values.security.runAsUser }}
  runAsUser: {{ . | int64 }}
  {{- end }}
  {{- with .Values.security.runAsGroup }}
  runAsGroup: {{ . | int64 }}
  {{- end }}
  {{- with .Values.security.fsGroup }}
  fsGroup: {{ . | int64 }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  {{- with .supplementalGroups }}
  supplementalGroups: {{ toJson . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "dsdeploy.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: {{ .readOnly }}
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "dsdeploy.weightsVolume" -}}
- name: weights
  {{- if eq .Values.weights.source "pvc" }}
  persistentVolumeClaim:
    claimName: {{ .Values.weights.claim.existingName | default (printf "%s-weights" (include "dsdeploy.name" .)) }}
  {{- else if eq .Values.weights.source "image" }}
  image:
    reference: {{ include "dsdeploy.image" (dict "image" .Values.weights.image "global" .Values.global) }}
    pullPolicy: IfNotPresent
  {{- else }}
  hostPath:
    path: {{ .Values.weights.hostPath }}
    type: Directory
  {{- end }}
{{- end -}}

{{- define "dsdeploy.weightsMount" -}}
- name: weights
  mountPath: {{ .Values.weights.mountPath }}
  {{- with .Values.weights.subPath }}
  subPath: {{ . }}
  {{- end }}
  readOnly: {{ .readOnly }}
{{- end -}}

{{/* The pod of one node of a replica. Takes the root context and "role": leader or worker. */}}
{{- define "dsdeploy.enginePod" -}}
{{- $role := .role -}}
{{- $ := .root -}}
{{- $engine := $.Values.engine -}}
{{- $node := get $engine $role -}}
{{- $leads := eq $role "leader" -}}
{{- $image := include "dsdeploy.image" (dict "image" $.Values.image.engine "global" $.Values.global) -}}
{{- $ready := ternary $engine.readyPath $engine.workerReadyPath $leads -}}
{{- $memory := add (int64 $engine.memoryBytes) (int64 $engine.shmBytes) -}}
{{- $devices := int64 $.Values.parallelism.devicesPerNode -}}
metadata:
  labels:
    {{- include "dsdeploy.selector" $ | nindent 4 }}
    app.kubernetes.io/component: engine
    dsdeploy.io/role: {{ $role }}
  # Nothing here may change with a key, a limit or the chart's version: each change loads the model again.
  annotations:
    kubectl.kubernetes.io/default-container: engine
    {{- with $.Values.rdma.networks }}
    k8s.v1.cni.cncf.io/networks: {{ . | quote }}
    {{- end }}
spec:
  serviceAccountName: {{ include "dsdeploy.name" $ }}
  {{- include "dsdeploy.podSecurity" (dict "Values" $.Values "supplementalGroups" $engine.supplementalGroups) | nindent 2 }}
  {{- include "dsdeploy.pullSecrets" $ | nindent 2 }}
  terminationGracePeriodSeconds: {{ add (int64 $engine.drainSeconds) 30 }}
  {{- with $engine.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $.Values.scheduling.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $.Values.scheduling.schedulerName }}
  schedulerName: {{ . }}
  {{- end }}
  {{- with $.Values.scheduling.nodeSelector }}
  nodeSelector: {{ toJson . }}
  {{- end }}
  {{- with $.Values.scheduling.topologySpreadConstraints }}
  topologySpreadConstraints: {{ toJson . }}
  {{- end }}
  tolerations:
    {{- if and $.Values.accelerator.tolerate (eq $.Values.accelerator.mode "devicePlugin") (gt $devices 0) }}
    - {key: {{ $.Values.accelerator.resourceName }}, operator: Exists, effect: NoSchedule}
    {{- end }}
    {{- with $.Values.scheduling.tolerations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $.Values.accelerator.products }}
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
          - matchExpressions:
              - {key: {{ $.Values.accelerator.productLabel }}, operator: In, values: {{ toJson . }}}
  {{- end }}
  {{- if eq $.Values.accelerator.mode "dra" }}
  resourceClaims:
    - {name: accelerators, resourceClaimTemplateName: {{ include "dsdeploy.name" $ }}-accelerators}
  {{- end }}
  initContainers:
    - name: verify-weights
      image: {{ $image }}
      imagePullPolicy: IfNotPresent
      {{- if $engine.python }}
      command: [{{ $engine.python | quote }}, -I, /opt/dsdeploy/verify.py]
      {{- else }}
      command: [sh, /opt/dsdeploy/verify.sh]
      {{- end }}
      args: [{{ $.Values.weights.verify.policy }}, {{ int64 $.Values.weights.verify.sampleBytes | quote }}, /opt/dsdeploy/manifest, {{ $.Values.weights.mountPath }}]
      securityContext:
        {{- include "dsdeploy.containerSecurity" (dict "readOnly" true) | nindent 8 }}
      resources:
        {{- /* the engine does not run yet: its share is free, and the pod asks for no more than it */}}
        requests: {cpu: {{ $engine.cpu | quote }}, memory: 256Mi}
        limits: {cpu: {{ $engine.cpu | quote }}, memory: 256Mi}
      volumeMounts:
        - {name: manifest, mountPath: /opt/dsdeploy, readOnly: true}
        {{- $stamped := eq $.Values.weights.verify.policy "stamp" }}
        {{- include "dsdeploy.weightsMount" (dict "Values" $.Values "readOnly" (not $stamped)) | nindent 8 }}
  containers:
    - name: engine
      image: {{ $image }}
      imagePullPolicy: IfNotPresent
      command:
        {{- range $node.argv }}
        - {{ . | toJson }}
        {{- end }}
      env:
        {{- range $key, $value := include "dsdeploy.engineEnvironment" (dict "root" $ "node" $node) | fromJson }}
        - {name: {{ $key }}, value: {{ $value | toJson }}}
        {{- end }}
      {{- if $leads }}
      ports:
        - {name: http, containerPort: {{ $engine.port }}, protocol: TCP}
      {{- end }}
      securityContext:
        {{- include "dsdeploy.containerSecurity" (dict "readOnly" $engine.readOnlyRootFilesystem) | nindent 8 }}
      resources:
        {{- range $kind := list "requests" "limits" }}
        {{ $kind }}:
          cpu: {{ $engine.cpu | quote }}
          memory: {{ $memory | quote }}
          {{- if and (eq $.Values.accelerator.mode "devicePlugin") (gt $devices 0) }}
          {{ $.Values.accelerator.resourceName }}: {{ $devices | quote }}
          {{- end }}
          {{- with $.Values.rdma.resourceName }}
          {{ . }}: {{ $.Values.rdma.count | quote }}
          {{- end }}
          {{- with $engine.hugepages.size }}
          hugepages-{{ . }}: {{ int64 $engine.hugepages.bytes | quote }}
          {{- end }}
        {{- end }}
        {{- if eq $.Values.accelerator.mode "dra" }}
        claims: [{name: accelerators}]
        {{- end }}
      {{- with $ready }}
      startupProbe:
        httpGet: {path: {{ . }}, port: {{ $engine.port }}}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: {{ add1 (div (include "dsdeploy.startSeconds" $ | int64) 5) }}
      readinessProbe:
        httpGet: {path: {{ . }}, port: {{ $engine.port }}}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 3
      livenessProbe:
        httpGet: {path: {{ . }}, port: {{ $engine.port }}}
        periodSeconds: 20
        timeoutSeconds: 20
        failureThreshold: 6
      {{- end }}
      {{- if semverCompare ">=1.30.0-0" $.Capabilities.KubeVersion.Version }}
      # Until the gateway and the service have taken the pod off; then the stop signal lets running answers end.
      lifecycle: {preStop: {sleep: {seconds: 10}}}
      {{- end }}
      volumeMounts:
        {{- include "dsdeploy.weightsMount" (dict "Values" $.Values "readOnly" true) | nindent 8 }}
        - {name: engine-key, mountPath: {{ dir $engine.keysFile }}, readOnly: true}
        {{- if and $engine.userEntry $.Values.security.runAsUser }}
        - {name: manifest, mountPath: /etc/passwd, subPath: passwd, readOnly: true}
        {{- end }}
        {{- if gt (int64 $engine.shmBytes) 0 }}
        - {name: shm, mountPath: /dev/shm}
        {{- end }}
        {{- if $engine.hugepages.size }}
        - {name: hugepages, mountPath: /dev/hugepages}
        {{- end }}
        {{- range $number, $one := $engine.writable }}
        - {name: writable-{{ $number }}, mountPath: {{ $one.path }}}
        {{- end }}
  volumes:
    {{- include "dsdeploy.weightsVolume" $ | nindent 4 }}
    - name: manifest
      configMap:
        name: {{ include "dsdeploy.name" $ }}-manifest
        defaultMode: 0444
    - name: engine-key
      secret:
        secretName: {{ $engine.keySecret.name }}
        defaultMode: 0440
        items: [{key: {{ $engine.keySecret.key }}, path: {{ base $engine.keysFile }}}]
    {{- if gt (int64 $engine.shmBytes) 0 }}
    - name: shm
      emptyDir: {medium: Memory, sizeLimit: {{ int64 $engine.shmBytes | quote }}}
    {{- end }}
    {{- with $engine.hugepages.size }}
    - name: hugepages
      emptyDir: {medium: HugePages-{{ . }}}
    {{- end }}
    {{- range $number, $one := $engine.writable }}
    - name: writable-{{ $number }}
      emptyDir: {sizeLimit: {{ int64 $one.sizeBytes | quote }}}
    {{- end }}
{{- end -}}

{{/* Closed, and with a home that can be written to; the engine's own environment goes before. A JSON map. */}}
{{- define "dsdeploy.engineEnvironment" -}}
{{- $home := (last .root.Values.engine.writable).path -}}
{{- $closed := dict "HF_HUB_OFFLINE" "1" "TRANSFORMERS_OFFLINE" "1" "HF_DATASETS_OFFLINE" "1" "VLLM_NO_USAGE_STATS" "1" "DO_NOT_TRACK" "1" -}}
{{- $places := dict "HOME" $home "USER" "dsdeploy" "LOGNAME" "dsdeploy" "HF_HOME" (printf "%s/huggingface" $home)
  "XDG_CACHE_HOME" (printf "%s/xdg" $home) "XDG_CONFIG_HOME" (printf "%s/config" $home) "VLLM_CACHE_ROOT" (printf "%s/vllm" $home)
  "VLLM_CONFIG_ROOT" (printf "%s/vllm-config" $home) "TRITON_CACHE_DIR" (printf "%s/triton" $home)
  "TORCHINDUCTOR_CACHE_DIR" (printf "%s/inductor" $home) "NUMBA_CACHE_DIR" (printf "%s/numba" $home) -}}
{{- $rdma := dict -}}
{{- with .root.Values.rdma.hca }}{{ $_ := set $rdma "NCCL_IB_HCA" . }}{{ end -}}
{{- if not (kindIs "invalid" .root.Values.rdma.gidIndex) }}{{ $_ := set $rdma "NCCL_IB_GID_INDEX" (toString .root.Values.rdma.gidIndex) }}{{ end -}}
{{- with .root.Values.rdma.socketInterface }}{{ $_ := set $rdma "NCCL_SOCKET_IFNAME" . }}{{ $_ := set $rdma "GLOO_SOCKET_IFNAME" . }}{{ end -}}
{{- merge $closed .node.env $rdma $places | toJson -}}
{{- end -}}
