{{/* What must not be together.  Each says what to do; the schema has refused the rest. */}}

{{- define "rotator.checks" -}}
{{- $values := .Values -}}
{{- $store := get $values.config "store" | default dict -}}
{{- $vault := get $store "vault" | default dict -}}
{{- $serve := get $values.config "serve" | default dict -}}
{{- if hasKey $values.config "lease" -}}
{{- fail "config.lease is the chart's: set leaderElection.enabled and leaderElection.leaseName instead" -}}
{{- end -}}
{{- if hasKey $serve "listen" -}}
{{- fail "config.serve.listen is the chart's: set listen.address and listen.port instead" -}}
{{- end -}}
{{- if hasKey $serve "probes" -}}
{{- fail "config.serve.probes is the chart's: set listen.probePort instead" -}}
{{- end -}}
{{- if eq (include "rotator.probePort" .) (toString (int $values.listen.port)) -}}
{{- fail "listen.probePort is also the port of all else: give it another" -}}
{{- end -}}
{{- if hasKey $serve "web_config" -}}
{{- fail "config.serve.web_config is the chart's: set webConfig.config or webConfig.existingSecret instead" -}}
{{- end -}}
{{- if and (gt (int $values.replicaCount) 1) (not $values.leaderElection.enabled) -}}
{{- fail "replicaCount is above 1 without a lease: set leaderElection.enabled to true, or replicaCount to 1" -}}
{{- end -}}
{{- if and $values.serviceMonitor.enabled $values.podMonitor.enabled -}}
{{- fail "serviceMonitor and podMonitor would scrape each pod twice: enable one of them" -}}
{{- end -}}
{{- if and $values.serviceMonitor.enabled (not $values.service.enabled) -}}
{{- fail "serviceMonitor needs the Service: set service.enabled to true, or use podMonitor" -}}
{{- end -}}
{{- if and $values.webConfig.config $values.webConfig.existingSecret -}}
{{- fail "webConfig.config and webConfig.existingSecret are both set: keep one" -}}
{{- end -}}
{{- if and $values.vault.ca.existingSecret $values.vault.ca.existingConfigMap -}}
{{- fail "vault.ca.existingSecret and vault.ca.existingConfigMap are both set: keep one" -}}
{{- end -}}
{{- if and $values.vault.approle.existingSecret $values.vault.clientCertificate.existingSecret -}}
{{- fail "vault.approle and vault.clientCertificate are two logins: keep one" -}}
{{- end -}}
{{- if and (or $values.vault.approle.existingSecret $values.vault.clientCertificate.existingSecret) (get $vault "auth") -}}
{{- fail "config.store.vault.auth and vault.approle or vault.clientCertificate are two logins: keep one" -}}
{{- end -}}
{{- with $values.podDisruptionBudget -}}
{{- if and .enabled (not (kindIs "invalid" .minAvailable)) (not (kindIs "invalid" .maxUnavailable)) -}}
{{- fail "podDisruptionBudget.minAvailable and maxUnavailable are both set: keep one" -}}
{{- end -}}
{{- end -}}
{{- end -}}
