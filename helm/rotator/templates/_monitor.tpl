{{/* One scraped endpoint.  Takes a dict: root, monitor. */}}
{{- define "rotator.endpoint" -}}
{{- $monitor := .monitor -}}
port: http
path: /metrics
scheme: {{ default (include "rotator.web.scheme" .root | lower) $monitor.scheme }}
honorLabels: {{ $monitor.honorLabels }}
{{- range $key := list "interval" "scrapeTimeout" }}
{{- with get $monitor $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- range $key := list "tlsConfig" "basicAuth" "relabelings" "metricRelabelings" }}
{{- with get $monitor $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
A ServiceMonitor or PodMonitor.  Takes a dict: root, kind, value, monitor, endpoints.
The job is the name label in both, so that alerts and dashboards need one selector.
*/}}
{{- define "rotator.monitor" -}}
{{- $mode := dict "root" .root "mode" .monitor.renderMode "api" (printf "monitoring.coreos.com/v1/%s" .kind) "value" (printf "%s.enabled" .value) -}}
{{- if and .monitor.enabled (include "rotator.rendered" $mode) -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ .kind }}
metadata:
  {{- include "rotator.metadata" (dict "root" .root "namespace" .monitor.namespace "labels" .monitor.additionalLabels "annotations" .monitor.annotations) | nindent 2 }}
spec:
  jobLabel: app.kubernetes.io/name
  namespaceSelector:
    matchNames:
      - {{ include "rotator.namespace" .root }}
  selector:
    matchLabels:
      {{- include "rotator.selectorLabels" .root | nindent 6 }}
  {{ .endpoints }}:
    - {{ include "rotator.endpoint" . | nindent 6 | trim }}
{{- end }}
{{- end -}}
