{{/* Argument: {pool, alone}. */}}
{{- define "xcloudflow.poolEnv" }}
- {name: XCF_POOL, value: {{ .pool.pool }}}
- {name: XCF_TENANT, value: {{ .pool.tenant | quote }}}
- {name: XCF_CONCURRENCY, value: {{ ternary 1 .pool.concurrency .alone | toString | quote }}}
{{- if .alone }}
- {name: XCF_TASK_LIMIT, value: "1"}
{{- end }}
- {name: XCF_SCRATCH, value: /var/lib/xcf/scratch}
- {name: XCF_CACHE, value: /var/cache/xcf}
- {name: XCF_DRAIN_SECONDS, value: {{ .pool.drainSeconds | toString | quote }}}
{{- if eq .pool.engine "terraform" }}
- {name: XCF_TOOL_TOFU, value: /usr/local/bin/tofu}
{{- if .pool.cliConfigMap }}
- {name: XCF_TERRAFORM_CLI_CONFIG, value: /etc/xcf/cli/terraform.rc}
{{- end }}
{{- end }}
{{- end -}}

{{/* What KEDA scales on: tasks that wait and tasks that run, for both are unacknowledged. Argument: {root, pool, lag}. */}}
{{- define "xcloudflow.trigger" -}}
- type: nats-jetstream
  metadata:
    natsServerMonitoringEndpoint: {{ .root.Values.nats.monitoringEndpoint | quote }}
    account: {{ .root.Values.nats.account | quote }}
    stream: XCF_TASKS
    consumer: runner-{{ .pool.engine }}-{{ .pool.pool }}
    lagThreshold: {{ .lag | toString | quote }}
    activationLagThreshold: "0"
{{- end -}}


{{/* The components of all pools, comma-separated. */}}
{{- define "xcloudflow.poolNames" -}}
{{- $names := list -}}
{{- range .Values.pools -}}
{{- $names = append $names (include "xcloudflow.poolName" (include "xcloudflow.pool" (dict "root" $ "pool" .) | fromYaml)) -}}
{{- end -}}
{{- join ", " $names -}}
{{- end -}}
