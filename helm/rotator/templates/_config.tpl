{{/* The daemon's configuration, the web configuration, and where both lie in the pod. */}}

{{- define "rotator.configFile" -}}
/etc/rotator/config/{{ ternary .Values.existingConfigMapKey "rotator.yaml" (not (empty .Values.existingConfigMap)) }}
{{- end -}}

{{- define "rotator.configMapName" -}}
{{- default (include "rotator.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{- define "rotator.web.enabled" -}}
{{- if or .Values.webConfig.config .Values.webConfig.existingSecret }}yes{{ end -}}
{{- end -}}

{{- define "rotator.web.secretName" -}}
{{- default (printf "%s-web" (include "rotator.fullname" .)) .Values.webConfig.existingSecret -}}
{{- end -}}

{{- define "rotator.web.scheme" -}}
{{- $said := ternary "HTTPS" "HTTP" (hasKey .Values.webConfig.config "tls_server_config") -}}
{{- default $said .Values.webConfig.scheme -}}
{{- end -}}

{{/* "yes" if the port asks for what the kubelet has not: a password or a certificate. */}}
{{- define "rotator.web.guarded" -}}
{{- $web := .Values.webConfig -}}
{{- $tls := get $web.config "tls_server_config" | default dict -}}
{{- $asks := or (not (empty (get $web.config "basic_auth_users"))) (hasPrefix "Require" (get $tls "client_auth_type" | default "")) -}}
{{- if kindIs "bool" $web.guarded -}}
{{- $asks = $web.guarded -}}
{{- end -}}
{{- if $asks }}yes{{ end -}}
{{- end -}}

{{/* The port for probes alone, empty if there is none.  A ConfigMap of theirs says itself whether it is
there, so that is then for `listen.probePort` to tell. */}}
{{- define "rotator.probePort" -}}
{{- if .Values.listen.probePort -}}
{{- int .Values.listen.probePort -}}
{{- else if and (include "rotator.web.guarded" .) (not .Values.existingConfigMap) -}}
9790
{{- end -}}
{{- end -}}

{{/* What the chart itself puts into the configuration. */}}
{{- define "rotator.ownConfig" -}}
serve:
  listen: {{ printf "%s:%d" .Values.listen.address (int .Values.listen.port) | quote }}
  {{- with include "rotator.probePort" . }}
  probes: {{ printf "%s:%s" $.Values.listen.address . | quote }}
  {{- end }}
  {{- if include "rotator.web.enabled" . }}
  web_config: /etc/rotator/web/{{ .Values.webConfig.key }}
  {{- end }}
{{- if .Values.leaderElection.enabled }}
lease:
  kubernetes:
    name: {{ include "rotator.leaseName" . }}
    namespace: {{ include "rotator.namespace" . }}
    {{- range $key, $value := dict "duration" "duration" "renew_deadline" "renewDeadline" "retry" "retry" }}
    {{- with get $.Values.leaderElection $value }}
    {{ $key }}: {{ . }}
    {{- end }}
    {{- end }}
{{- end }}
{{- include "rotator.ownVault" . }}
{{- end -}}

{{- define "rotator.ownVault" -}}
{{- $vault := .Values.vault -}}
{{- if or (include "rotator.vaultCa" .) $vault.approle.existingSecret $vault.clientCertificate.existingSecret }}
store:
  vault:
    {{- if include "rotator.vaultCa" . }}
    ca_file: /etc/rotator/vault-ca/{{ $vault.ca.key }}
    {{- end }}
    {{- if $vault.approle.existingSecret }}
    auth:
      method: approle
      role_id_file: /etc/rotator/vault-approle/{{ $vault.approle.roleIdKey }}
      secret_id_file: /etc/rotator/vault-approle/{{ $vault.approle.secretIdKey }}
    {{- else if $vault.clientCertificate.existingSecret }}
    auth:
      method: cert
      cert_file: /etc/rotator/vault-cert/{{ $vault.clientCertificate.certKey }}
      key_file: /etc/rotator/vault-cert/{{ $vault.clientCertificate.keyKey }}
      {{- with $vault.clientCertificate.role }}
      role: {{ . | quote }}
      {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "rotator.vaultCa" -}}
{{- if or .Values.vault.ca.existingSecret .Values.vault.ca.existingConfigMap }}yes{{ end -}}
{{- end -}}

{{/* The configuration file: `config` and the chart's own part. */}}
{{- define "rotator.config" -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) (include "rotator.ownConfig" . | fromYaml)) -}}
{{- end -}}
