{{/* The rules of files/alerts.yaml, as the values of `prometheusRule` change them. */}}

{{- define "rotator.selector" -}}
{{- $own := printf "job=%q,namespace=%q" (include "rotator.name" .) (include "rotator.namespace" .) -}}
{{- default $own .Values.prometheusRule.selector -}}
{{- end -}}

{{/*
A file as JSON with the marks in its strings filled in: %SELECTOR%, %RUNBOOKS%, %GRAFANA%,
%DATASOURCE%.  A mark that nobody gave a value stays.  Takes a dict: root, file, marks.
*/}}
{{- define "rotator.filled" -}}
{{- $json := .root.Files.Get .file | fromYaml | toJson -}}
{{- if eq $json "{}" -}}
{{- fail (printf "the chart has no %s: run `make chart` and the program that writes it" .file) -}}
{{- end -}}
{{- range $mark, $text := merge (dict "SELECTOR" (include "rotator.selector" .root)) .marks -}}
{{- if $text -}}
{{- $json = replace (printf "%%%s%%" $mark) (toJson $text | trimPrefix "\"" | trimSuffix "\"") $json -}}
{{- end -}}
{{- end -}}
{{- $json -}}
{{- end -}}

{{/* Annotations without those that hold a mark still. */}}
{{- define "rotator.annotations" -}}
{{- $kept := dict -}}
{{- range $key, $text := . -}}
{{- if not (regexMatch "%[A-Z]+%" $text) -}}
{{- $_ := set $kept $key $text -}}
{{- end -}}
{{- end -}}
{{- toYaml $kept -}}
{{- end -}}

{{/* One rule.  Takes a dict: root, rule.  Gives nothing if it is switched off. */}}
{{- define "rotator.rule" -}}
{{- $values := .root.Values.prometheusRule -}}
{{- $rule := deepCopy .rule -}}
{{- $name := get $rule "alert" -}}
{{- $change := get $values.alerts $name | default dict -}}
{{- $off := or $values.disableBuiltinAlertGroup (eq (toString (get $change "enabled")) "false") -}}
{{- if not $name -}}
{{- toYaml $rule -}}
{{- else if not $off -}}
{{- $expr := get $values.alertExprOverrides $name | default $rule.expr -}}
{{- $severity := get $change "severity" -}}
{{- $_ := set $rule "expr" (replace "%SELECTOR%" (include "rotator.selector" .root) $expr) -}}
{{- $_ := set $rule "alert" (printf "%s%s" $values.rulePrefix $name) -}}
{{- $_ := set $rule "for" (get $values.alertForOverrides $name | default (get $rule "for" | default "0s")) -}}
{{- $_ := set $rule "labels" (mergeOverwrite (get $rule "labels" | default dict) $values.alertExtraLabels (get $change "labels" | default dict)) -}}
{{- if $severity -}}
{{- $_ := set $rule.labels "severity" $severity -}}
{{- end -}}
{{- $annotations := get $rule "annotations" | default dict | include "rotator.annotations" | fromYaml -}}
{{- $_ := set $rule "annotations" (mergeOverwrite $annotations $values.alertExtraAnnotations (get $change "annotations" | default dict)) -}}
{{- toYaml $rule -}}
{{- end -}}
{{- end -}}

{{/*
All groups, as YAML: `groups: [...]`.  A group has `alerts` (each with a `name`), `rules` as
Prometheus writes them, or both; one that is left without a rule goes.
*/}}
{{- define "rotator.alertGroups" -}}
{{- $values := .Values.prometheusRule -}}
{{- $marks := dict "RUNBOOKS" $values.runbookUrl "GRAFANA" $values.grafanaUrl -}}
{{- $file := include "rotator.filled" (dict "root" . "file" "files/alerts.yaml" "marks" $marks) | fromJson -}}
{{- $groups := list -}}
{{- range $group := $file.groups -}}
{{- $rules := list -}}
{{- $listed := get $group "rules" | default list -}}
{{- range get $group "alerts" | default list -}}
{{- $listed = append $listed (merge (dict "alert" .name) (omit . "name")) -}}
{{- end -}}
{{- range $listed -}}
{{- with include "rotator.rule" (dict "root" $ "rule" .) | fromYaml -}}
{{- $rules = append $rules . -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- $groups = append $groups (merge (dict "rules" $rules) (omit $group "rules" "alerts")) -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "groups" (concat $groups $values.extraAlertGroups)) -}}
{{- end -}}

{{/* The same alerts as Grafana's own rules. */}}
{{- define "rotator.grafanaAlerts" -}}
{{- $values := .Values.grafanaAlerts -}}
{{- $marks := dict "RUNBOOKS" $values.runbookUrl "DATASOURCE" $values.datasourceUid -}}
{{- $file := include "rotator.filled" (dict "root" . "file" "files/grafana-alerts.yaml" "marks" $marks) | fromJson -}}
{{- range $group := $file.groups -}}
{{- $_ := set $group "folder" $values.folder -}}
{{- range $group.rules -}}
{{- $_ := set . "annotations" (get . "annotations" | default dict | include "rotator.annotations" | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- toYaml $file -}}
{{- end -}}
