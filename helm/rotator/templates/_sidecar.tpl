{{/*
A ConfigMap that one of Grafana's sidecars picks up.
Takes a dict: root, sidecar (the values), suffix, file (its name), content.
*/}}
{{- define "rotator.sidecar" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "rotator.metadata" (dict "root" .root "suffix" .suffix "namespace" .sidecar.namespace "annotations" .sidecar.annotations
    "labels" (merge (dict .sidecar.sidecarLabel .sidecar.sidecarLabelValue) .sidecar.extraLabels)) | nindent 2 }}
data:
  {{ .file }}: {{ .content | toJson }}
{{- end }}
