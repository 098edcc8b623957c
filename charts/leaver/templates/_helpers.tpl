{{- define "leaver.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains "leaver" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-leaver" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels that select pods. They never change during the life of a release. */}}
{{- define "leaver.selector" -}}
app.kubernetes.io/name: leaver
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "leaver.labels" -}}
{{ include "leaver.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "leaver.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "leaver.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "leaver.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "leaver.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "leaver.securityContext" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The files of secrets: a dict of names, each with `secret` and `key`. */}}
{{- define "leaver.secretsVolume" -}}
- name: secrets
  projected:
    # The group of the pod may read them, and nobody else.
    defaultMode: 0440
    sources:
      {{- range $name, $from := . }}
      - secret:
          name: {{ $from.secret | quote }}
          items:
            - key: {{ $from.key | quote }}
              path: {{ $name }}
      {{- end }}
{{- end -}}

{{- define "leaver.secretsEnv" -}}
{{- range $name, $from := . }}
- name: {{ $name }}_FILE
  value: /etc/leaver/secrets/{{ $name }}
{{- end }}
{{- end -}}

{{- define "leaver.caVolume" -}}
{{- if .Values.databaseCa.configMap }}
- name: ca
  configMap:
    name: {{ .Values.databaseCa.configMap | quote }}
    items:
      - key: {{ .Values.databaseCa.key | quote }}
        path: ca.crt
{{- end }}
{{- end -}}

{{- define "leaver.caMount" -}}
{{- if .Values.databaseCa.configMap }}
- name: ca
  mountPath: /etc/leaver/ca
  readOnly: true
{{- end }}
{{- end -}}
