{{- define "answerable.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}
{{- define "answerable.labels" -}}
app.kubernetes.io/name: answerable
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- define "answerable.selector" -}}
app.kubernetes.io/name: answerable
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}
{{- define "answerable.account" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "answerable.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}
{{- define "answerable.claim" -}}{{ .Values.persistence.existingClaim | default (printf "%s-store" (include "answerable.name" .)) }}{{- end }}
{{- /* The configuration of one server: that of the values, and its listeners. */ -}}
{{- define "answerable.config" -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.config) .own) }}
{{- end }}
{{- define "answerable.container" -}}
image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- with .root.Values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- define "answerable.pod" -}}
serviceAccountName: {{ .account | default (include "answerable.account" .root) }}
automountServiceAccountToken: {{ .token | default false }}
securityContext: {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- define "answerable.probes" -}}
startupProbe: {httpGet: {path: /healthz, port: health}, periodSeconds: 2, failureThreshold: 60}
livenessProbe: {httpGet: {path: /healthz, port: health}, periodSeconds: 10, timeoutSeconds: 5}
readinessProbe: {httpGet: {path: /readyz, port: health}, periodSeconds: 5, timeoutSeconds: 5}
{{- end }}
{{- /* A volume that can be mounted by one node: pods follow the one that has it. */ -}}
{{- define "answerable.affinity" -}}
{{- if ne .Values.persistence.accessMode "ReadWriteMany" }}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector: {matchLabels: {app.kubernetes.io/instance: {{ .Release.Name }}, answerable/store: shared}}
{{- end }}
{{- end }}
