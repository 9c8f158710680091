{{/* Everywhere but the addresses at which clouds hand out credentials. */}}
{{- define "xcloudflow.anywhere" -}}
- ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 100.100.100.200/32]}
- ipBlock: {cidr: "::/0", except: ["fe80::/10", "fd00:ec2::254/128"]}
{{- end -}}

{{/* An address range; the metadata endpoints are cut out of one that holds them all. */}}
{{- define "xcloudflow.ranges" -}}
{{- range . }}
{{- if eq . "0.0.0.0/0" }}
- ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 100.100.100.200/32]}
{{- else if eq . "::/0" }}
- ipBlock: {cidr: "::/0", except: ["fe80::/10", "fd00:ec2::254/128"]}
{{- else }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end -}}

{{/* PostgreSQL or NATS as values describe them. */}}
{{- define "xcloudflow.server" -}}
- ports: [{protocol: TCP, port: {{ .port }}}]
  to:
    {{- if .podSelector }}
    - namespaceSelector: {}
      podSelector: {{- toYaml .podSelector | nindent 8 }}
    {{- end }}
    {{- include "xcloudflow.ranges" .cidrs | nindent 4 }}
    {{- if not (or .podSelector .cidrs) }}
    - namespaceSelector: {}
    {{- include "xcloudflow.anywhere" . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "xcloudflow.dns" -}}
- ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
  to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
{{- end -}}

{{/* Egress that every process shares. Argument: {root, calls, database, nats}. */}}
{{- define "xcloudflow.egress" -}}
{{- $root := .root -}}
{{ include "xcloudflow.dns" . }}
{{- with .calls }}
- ports: [{protocol: TCP, port: 8443}]
  to:
    {{- range . }}
    - podSelector:
        matchLabels: {{- include "xcloudflow.selector" (dict "root" $root "component" .) | nindent 10 }}
    {{- end }}
{{- end }}
{{- if .database }}
{{ include "xcloudflow.server" $root.Values.database }}
{{- end }}
{{- if .nats }}
{{ include "xcloudflow.server" $root.Values.nats }}
{{- end }}
{{- if $root.Values.otlpEndpoint }}
- ports: [{protocol: TCP, port: 4317}, {protocol: TCP, port: 4318}]
  to: [{namespaceSelector: {}}]
{{- end }}
{{- end -}}

{{/* Who scrapes. */}}
{{- define "xcloudflow.scrapers" -}}
- ports: [{protocol: TCP, port: 8080}]
  from: {{- toYaml (.Values.networkPolicy.metricsFrom | default (list (dict "namespaceSelector" dict))) | nindent 4 }}
{{- end -}}
