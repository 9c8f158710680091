{{- define "xcloudflow.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "xcloudflow.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/*
The pod template of a service or a worker. Argument: {root, component, image, env, envFrom, folders, settings, grace,
restartPolicy, public}; env is YAML text, folders as xcloudflow.ownFolders has them.
*/}}
{{- define "xcloudflow.pod" -}}
metadata:
  labels: {{- include "xcloudflow.labels" . | nindent 4 }}
  {{- with .settings.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "xcloudflow.fullname" .root }}-{{ .component }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .grace }}
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  securityContext: {{- include "xcloudflow.podSecurity" . | nindent 4 }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "xcloudflow.selector" . | nindent 10 }}
  {{- with .settings.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .settings.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .container }}
      image: {{ include "xcloudflow.image" . }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [node, /app/main.js]
      securityContext: {{- include "xcloudflow.containerSecurity" . | nindent 8 }}
      resources: {{- toYaml .settings.resources | nindent 8 }}
      env: {{- .env | nindent 8 }}
      {{- with .envFrom }}
      envFrom:
        - secretRef: {name: {{ . }}}
      {{- end }}
      ports:
        - {name: grpc, containerPort: 8443}
        - {name: probe, containerPort: 8080}
        {{- if .public }}
        - {name: public, containerPort: 9443}
        {{- end }}
      startupProbe:
        httpGet: {path: /livez, port: probe}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /livez, port: probe}
        periodSeconds: 10
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: probe}
        periodSeconds: 5
        failureThreshold: 2
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: tls, mountPath: /etc/xcf/tls, readOnly: true}
        {{- range $name, $folder := .folders }}
        - {name: {{ $name }}, mountPath: {{ $folder.path }}{{ if or $folder.secret $folder.configMap }}, readOnly: true{{ end }}}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
    - name: tls
      secret: {secretName: {{ include "xcloudflow.fullname" .root }}-{{ .component }}-tls, defaultMode: 0440}
    {{- range $name, $folder := .folders }}
    - name: {{ $name }}
      {{- if $folder.secret }}
      secret: {secretName: {{ $folder.secret }}, defaultMode: 0440}
      {{- else if $folder.configMap }}
      configMap: {name: {{ $folder.configMap }}}
      {{- else if $folder.claim }}
      persistentVolumeClaim: {claimName: {{ $folder.claim }}}
      {{- else }}
      emptyDir: {sizeLimit: {{ $folder.size }}}
      {{- end }}
    {{- end }}
{{- end -}}
