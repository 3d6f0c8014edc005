{{/* A Role and its RoleBinding.  Takes a dict: root, namespace, suffix, rules. */}}
{{- define "rotator.role" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "rotator.metadata" (dict "root" .root "suffix" .suffix "namespace" .namespace) | nindent 2 }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "rotator.metadata" (dict "root" .root "suffix" .suffix "namespace" .namespace) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "rotator.fullname" .root }}{{ .suffix }}
subjects:
  - kind: ServiceAccount
    name: {{ include "rotator.serviceAccountName" .root }}
    namespace: {{ include "rotator.namespace" .root }}
{{- end }}
