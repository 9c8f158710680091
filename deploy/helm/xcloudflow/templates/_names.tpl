{{/* The name everything starts with: the release's, with the chart's where the release does not say it. */}}
{{- define "xcloudflow.fullname" -}}
{{- if contains "xcloudflow" .Release.Name -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-xcloudflow" (.Release.Name | trunc 18 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* Labels by which pods are chosen. Argument: {root, component}. */}}
{{- define "xcloudflow.selector" -}}
app.kubernetes.io/name: xcloudflow
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "xcloudflow.labels" -}}
{{ include "xcloudflow.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* Argument: {root, image}. A digest wins over the tag. */}}
{{- define "xcloudflow.image" -}}
{{- $own := get .root.Values.images .image | default dict -}}
{{- $repository := $own.repository | default (printf "%s/%s" .root.Values.image.registry .image) -}}
{{- if $own.digest -}}
{{- printf "%s@%s" $repository $own.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A pool's component: runner-<engine>-<pool>, and the tenant where it serves one. It is the NATS consumer's name too. */}}
{{- define "xcloudflow.poolName" -}}
{{- printf "runner-%s-%s%s" .engine .pool (ternary "" (printf "-%s" .tenant) (eq .tenant "*")) -}}
{{- end -}}

{{/* A pool with the defaults below it, as YAML. Argument: {root, pool}. */}}
{{- define "xcloudflow.pool" -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.poolDefaults) (deepCopy .pool)) -}}
{{- end -}}
