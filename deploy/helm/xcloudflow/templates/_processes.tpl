{{/*
What each service has and whom it calls. Environment, volumes, certificates and NetworkPolicies all follow from this
table, so that none of them can say something else than the others.
*/}}
{{- define "xcloudflow.processes" -}}
api: {database: true, nats: true, public: true, calls: [orchestrator, state, policy, audit]}
planner: {calls: [router, policy, secrets, state]}
policy: {database: true, nats: true, calls: []}
router: {calls: []}
orchestrator: {database: true, nats: true, calls: [planner, policy, state, secrets]}
state: {database: true, nats: true, calls: [api]}
secrets: {database: true, nats: true, calls: [orchestrator, planner]}
audit: {database: true, nats: true, calls: []}
{{- end -}}

{{- define "xcloudflow.runnerCalls" -}}
calls: [orchestrator, state, secrets]
{{- end -}}

{{/* Environment that every long-running process has. Argument: {root, process, calls, nats}. */}}
{{- define "xcloudflow.commonEnv" -}}
{{- $full := include "xcloudflow.fullname" .root -}}
- {name: XCF_LISTEN, value: "0.0.0.0:8443"}
- {name: XCF_PROBE_LISTEN, value: "0.0.0.0:8080"}
- {name: XCF_TLS_CERT, value: /etc/xcf/tls/tls.crt}
- {name: XCF_TLS_KEY, value: /etc/xcf/tls/tls.key}
- {name: XCF_TLS_CA, value: /etc/xcf/tls/ca.crt}
- {name: XCF_LOG, value: {{ .root.Values.log | quote }}}
{{- with .root.Values.otlpEndpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- range .calls }}
- {name: XCF_{{ upper . }}_URL, value: "https://{{ $full }}-{{ . }}:8443"}
{{- end }}
{{- if .nats }}
- {name: XCF_NATS_URL, value: {{ .root.Values.nats.url | quote }}}
- {name: XCF_NATS_CA, value: /etc/xcf/tls/ca.crt}
- {name: XCF_NATS_CERT, value: /etc/xcf/tls/tls.crt}
- {name: XCF_NATS_KEY, value: /etc/xcf/tls/tls.key}
- name: XCF_NATS_USER
  valueFrom: {secretKeyRef: {name: {{ .root.Values.nats.secret }}, key: user-{{ .process }}}}
- name: XCF_NATS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .root.Values.nats.secret }}, key: password-{{ .process }}}}
{{- end }}
{{- end -}}

{{/* What one service alone has. Argument: {root, process}. */}}
{{- define "xcloudflow.ownEnv" -}}
{{- $values := .root.Values -}}
{{- if eq .process "api" }}
- {name: XCF_PUBLIC_LISTEN, value: "0.0.0.0:9443"}
{{- if $values.api.publicTlsSecret }}
- {name: XCF_PUBLIC_TLS_CERT, value: /etc/xcf/public/tls.crt}
- {name: XCF_PUBLIC_TLS_KEY, value: /etc/xcf/public/tls.key}
{{- end }}
{{- with $values.api.adminTokenSecret }}
- name: XCF_ADMIN_TOKEN
  valueFrom: {secretKeyRef: {name: {{ . }}, key: token}}
{{- end }}
{{- with $values.api.issuers }}
- {name: XCF_ISSUERS, value: {{ toJson . | quote }}}
{{- end }}
{{- else if eq .process "planner" }}
- {name: XCF_CACHE, value: /var/cache/xcf}
- {name: XCF_REPOSITORIES, value: {{ join "," $values.planner.repositories | quote }}}
- {name: XCF_GIT_TRANSPORTS, value: {{ $values.planner.gitTransports | quote }}}
{{- else if eq .process "policy" }}
- {name: XCF_TOOL_OPA, value: /usr/local/bin/opa}
{{- else if eq .process "orchestrator" }}
- {name: XCF_ATTEMPT_KEY, value: /etc/xcf/attempt/attempt.pem}
{{- else if eq .process "state" }}
- {name: XCF_ATTEMPT_PUBLIC_KEY, value: /etc/xcf/attempt/attempt.pub.pem}
- {name: XCF_STATE_AGE_KEY, value: /etc/xcf/state/state.age}
{{- else if eq .process "secrets" }}
- {name: XCF_ATTEMPT_PUBLIC_KEY, value: /etc/xcf/attempt/attempt.pub.pem}
- {name: XCF_TOOL_SOPS, value: /usr/local/bin/sops}
{{- if $values.keys.sopsSecret }}
- {name: SOPS_AGE_KEY_FILE, value: /etc/xcf/sops/sops.age}
{{- end }}
{{- else if eq .process "audit" }}
- {name: XCF_AUDIT_KEY, value: /etc/xcf/audit/audit.pem}
- {name: XCF_AUDIT_ORIGIN, value: {{ $values.audit.origin | quote }}}
- {name: XCF_AUDIT_CHECKPOINTS, value: /var/lib/xcf/checkpoints}
{{- end }}
{{- end -}}

{{/* Folders of one service as {name: {path, secret | configMap | claim | size}}. Argument: {root, process}. */}}
{{- define "xcloudflow.ownFolders" -}}
{{- $values := .root.Values -}}
{{- $keys := $values.keys -}}
{{- if eq .process "api" }}
{{- with $values.api.publicTlsSecret }}
public: {path: /etc/xcf/public, secret: {{ . }}}
{{- end }}
{{- else if eq .process "planner" }}
cache: {path: /var/cache/xcf, size: {{ $values.planner.cacheSize }}}
{{- else if eq .process "orchestrator" }}
attempt: {path: /etc/xcf/attempt, secret: {{ $keys.attemptSecret }}}
{{- else if eq .process "state" }}
attempt: {path: /etc/xcf/attempt, secret: {{ $keys.attemptPublicSecret }}}
state: {path: /etc/xcf/state, secret: {{ $keys.stateSecret }}}
{{- else if eq .process "secrets" }}
attempt: {path: /etc/xcf/attempt, secret: {{ $keys.attemptPublicSecret }}}
{{- with $keys.sopsSecret }}
sops: {path: /etc/xcf/sops, secret: {{ . }}}
{{- end }}
{{- else if eq .process "audit" }}
audit: {path: /etc/xcf/audit, secret: {{ $keys.auditSecret }}}
checkpoints: {path: /var/lib/xcf/checkpoints, claim: {{ $values.audit.checkpoints.existingClaim | default (printf "%s-audit-checkpoints" (include "xcloudflow.fullname" .root)) }}}
{{- end }}
{{- end -}}
