{{- define "nbgate.labels" -}}
app.kubernetes.io/name: nbgate
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "nbgate.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- /* Binds a Role or ClusterRole of the same name to a component's account: (list . "Role" NAMESPACE NAME COMPONENT). */ -}}
{{- define "nbgate.binding" -}}
{{- $root := index . 0 }}{{ $kind := index . 1 }}{{ $namespace := index . 2 }}{{ $name := index . 3 }}{{ $component := index . 4 -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "nbgate.labels" $component | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ $name }}
subjects:
- kind: ServiceAccount
  name: nbgate-{{ $component }}
  namespace: {{ $root.Release.Namespace }}
{{- end }}

{{- /* Where the pods of a component may be started, and from what image. */ -}}
{{- define "nbgate.pod" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}{{ $values := index . 2 -}}
serviceAccountName: nbgate-{{ $component }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "nbgate.confined" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- /* A budget that a drain can always meet: one less than there are. (list . COMPONENT REPLICAS) */ -}}
{{- define "nbgate.budget" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}{{ $replicas := index . 2 -}}
{{- /* policy/v1 came with 1.21, and policy/v1beta1 went with 1.25. Without a cluster Helm believes in a new one. */ -}}
apiVersion: {{ ternary "policy/v1" "policy/v1beta1" ($root.Capabilities.APIVersions.Has "policy/v1") }}
kind: PodDisruptionBudget
metadata:
  name: nbgate-{{ $component }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "nbgate.labels" $component | nindent 4 }}
spec:
  minAvailable: {{ sub $replicas 1 }}
  selector:
    matchLabels:
      {{- include "nbgate.labels" $component | nindent 6 }}
{{- end }}
