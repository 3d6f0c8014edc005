{{/* The pod: of the Deployment, and of `helm test`. */}}

{{/* "yes" if the daemon asks the Kubernetes API for anything. */}}
{{- define "rotator.asksApi" -}}
{{- if or .Values.leaderElection.enabled .Values.rbac.events .Values.rolloutRestart.namespaces .Values.existingConfigMap }}yes{{ end -}}
{{- end -}}

{{- define "rotator.volumes" -}}
- name: config
  configMap:
    name: {{ include "rotator.configMapName" . }}
- name: state
  {{- if .Values.state.existingClaim }}
  persistentVolumeClaim:
    claimName: {{ .Values.state.existingClaim }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .Values.state.sizeLimit }}
  {{- end }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.state.sizeLimit }}
{{- if and (include "rotator.asksApi" .) (not .Values.serviceAccount.automount) }}
- name: kubernetes-api
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                apiVersion: v1
                fieldPath: metadata.namespace
{{- end }}
{{- with .Values.vault.serviceAccountToken }}
{{- if .enabled }}
- name: vault-token
  projected:
    sources:
      - serviceAccountToken:
          path: token
          audience: {{ .audience | quote }}
          expirationSeconds: {{ int .expirationSeconds }}
{{- end }}
{{- end }}
{{- if .Values.vault.ca.existingConfigMap }}
- name: vault-ca
  configMap:
    name: {{ .Values.vault.ca.existingConfigMap }}
{{- end }}
{{- range $volume, $secret := include "rotator.secretVolumes" . | fromYaml }}
- name: {{ $volume }}
  secret:
    secretName: {{ $secret }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Volume to Secret; each is mounted at /etc/rotator/VOLUME. */}}
{{- define "rotator.secretVolumes" -}}
{{- $secrets := dict
  "vault-ca" .Values.vault.ca.existingSecret
  "vault-approle" .Values.vault.approle.existingSecret
  "vault-cert" .Values.vault.clientCertificate.existingSecret
  "tls" .Values.webConfig.tlsSecret
  "web" (ternary (include "rotator.web.secretName" .) "" (eq (include "rotator.web.enabled" .) "yes")) -}}
{{- range $volume, $secret := $secrets }}
{{- if $secret }}
{{ $volume }}: {{ $secret }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Folders, never single files: only a folder follows a change of its ConfigMap or Secret. */}}
{{- define "rotator.volumeMounts" -}}
- name: config
  mountPath: /etc/rotator/config
  readOnly: true
- name: state
  mountPath: /var/lib/rotator
- name: tmp
  mountPath: /tmp
{{- if and (include "rotator.asksApi" .) (not .Values.serviceAccount.automount) }}
- name: kubernetes-api
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- if .Values.vault.serviceAccountToken.enabled }}
- name: vault-token
  mountPath: /var/run/secrets/vault
  readOnly: true
{{- end }}
{{- if .Values.vault.ca.existingConfigMap }}
- name: vault-ca
  mountPath: /etc/rotator/vault-ca
  readOnly: true
{{- end }}
{{- range $volume, $_ := include "rotator.secretVolumes" . | fromYaml }}
- name: {{ $volume }}
  mountPath: /etc/rotator/{{ $volume }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A probe of a path.  Takes a dict: root, path, probe. */}}
{{- define "rotator.probe" -}}
{{- $spec := deepCopy .probe.spec -}}
{{- if not (or (hasKey $spec "httpGet") (hasKey $spec "exec") (hasKey $spec "tcpSocket") (hasKey $spec "grpc")) -}}
{{- if include "rotator.probePort" .root -}}
{{- $_ := set $spec "httpGet" (dict "path" .path "port" "probes" "scheme" "HTTP") -}}
{{- else if include "rotator.web.guarded" .root -}}
{{- $_ := set $spec "tcpSocket" (dict "port" "http") -}}
{{- else -}}
{{- $_ := set $spec "httpGet" (dict "path" .path "port" "http" "scheme" (include "rotator.web.scheme" .root)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $spec -}}
{{- end -}}

{{/* The daemon's container.  Takes a dict: root, args, serves. */}}
{{- define "rotator.container" -}}
{{- $root := .root -}}
name: rotator
image: {{ include "rotator.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- with $root.Values.command }}
command:
  {{- toYaml . | nindent 2 }}
{{- end }}
args:
  {{- toYaml .args | nindent 2 }}
env:
  - name: XDG_STATE_HOME
    value: /var/lib/rotator
  {{- with $root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .serves }}
ports:
  - name: http
    containerPort: {{ int $root.Values.listen.port }}
    protocol: TCP
  {{- with include "rotator.probePort" $root }}
  - name: probes
    containerPort: {{ . }}
    protocol: TCP
  {{- end }}
{{- if $root.Values.livenessProbe.enabled }}
livenessProbe:
  {{- include "rotator.probe" (dict "root" $root "path" "/-/healthy" "probe" $root.Values.livenessProbe) | nindent 2 }}
{{- end }}
{{- if $root.Values.readinessProbe.enabled }}
readinessProbe:
  {{- include "rotator.probe" (dict "root" $root "path" "/-/ready" "probe" $root.Values.readinessProbe) | nindent 2 }}
{{- end }}
{{- end }}
{{- with $root.Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.securityContext | nindent 2 }}
volumeMounts:
  {{- include "rotator.volumeMounts" $root | nindent 2 }}
{{- end -}}

{{/* What both pods share: who they are, where they run, what they may. */}}
{{- define "rotator.podPlace" -}}
serviceAccountName: {{ include "rotator.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
enableServiceLinks: false
{{- with include "rotator.imagePullSecrets" . }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}
{{- with get $.Values $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- if kindIs "bool" .Values.hostUsers }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
{{- range $key := list "dnsConfig" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "rotator.podSpec" -}}
{{- include "rotator.podPlace" . }}
terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
{{- with .Values.topologySpreadConstraints }}
{{- $pods := dict "labelSelector" (dict "matchLabels" (include "rotator.selectorLabels" $ | fromYaml)) }}
topologySpreadConstraints:
  {{- range . }}
  - {{ toYaml (hasKey . "labelSelector" | ternary . (mergeOverwrite (deepCopy $pods) .)) | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- with .Values.extraInitContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - {{ include "rotator.container" (dict "root" . "serves" true "args" (concat (list "run" "--config" (include "rotator.configFile" .)) .Values.extraArgs)) | nindent 4 | trim }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  {{- include "rotator.volumes" . | nindent 2 }}
{{- end -}}
