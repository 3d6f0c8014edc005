{{/* Names, labels, image. */}}

{{- define "rotator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "rotator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "rotator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "rotator.serviceAccountName" -}}
{{- default (ternary (include "rotator.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "rotator.leaseName" -}}
{{- default (include "rotator.fullname" .) .Values.leaderElection.leaseName -}}
{{- end -}}

{{/* What every pod of the release bears. */}}
{{- define "rotator.releaseLabels" -}}
app.kubernetes.io/name: {{ include "rotator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What selects the daemon's pods; it never changes over the life of a release. */}}
{{- define "rotator.selectorLabels" -}}
{{ include "rotator.releaseLabels" . }}
app.kubernetes.io/component: daemon
{{- end -}}

{{- define "rotator.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" (.Values.image.tag | default .Chart.AppVersion | trunc 63 | trimAll "-_.")
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/part-of" "rotator" -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.commonLabels) $own (include "rotator.selectorLabels" . | fromYaml)) -}}
{{- end -}}

{{/*
The metadata of an object.  Takes a dict: root; and optionally suffix (of the name),
name (instead), namespace, labels, annotations, component (instead of daemon).
*/}}
{{- define "rotator.metadata" -}}
{{- $root := .root -}}
name: {{ .name | default (printf "%s%s" (include "rotator.fullname" $root) (.suffix | default "")) }}
namespace: {{ .namespace | default (include "rotator.namespace" $root) }}
labels:
  {{- $own := include "rotator.labels" $root | fromYaml }}
  {{- $_ := set $own "app.kubernetes.io/component" (.component | default "daemon") }}
  {{- toYaml (mergeOverwrite (dict) (.labels | default dict) $own) | nindent 2 }}
{{- with mergeOverwrite (dict) $root.Values.commonAnnotations (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "rotator.image" -}}
{{- $image := .Values.image -}}
{{- $name := list (.Values.global.imageRegistry | default $image.registry) $image.repository | compact | join "/" -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Pull secrets as a list of {name}, whichever way each was written. */}}
{{- define "rotator.imagePullSecrets" -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
- name: {{ ternary . (get (ternary (dict) . (kindIs "string" .)) "name") (kindIs "string" .) }}
{{- end }}
{{- end -}}

{{/*
Renders an object of a kind that the cluster may not have, as `renderMode` says.
Takes a dict: root, mode, api (group/version/Kind), value (what switched it on).
Gives "yes" or nothing.
*/}}
{{- define "rotator.rendered" -}}
{{- if or (eq .mode "alwaysRender") (.root.Capabilities.APIVersions.Has .api) -}}
yes
{{- else if eq .mode "failIfMissing" -}}
{{- fail (printf "%s is on, but the cluster has no %s: install it first, or set renderMode to skipIfMissing or alwaysRender" .value .api) -}}
{{- end -}}
{{- end -}}
