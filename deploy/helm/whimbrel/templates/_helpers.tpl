{{- define "whimbrel.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What a part's pods are found by; given the root and the part. */ -}}
{{- define "whimbrel.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "whimbrel.labels" -}}
{{ include "whimbrel.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
{{- end -}}

{{- /* An image with the registry before it; given the root and the image. */ -}}
{{- define "whimbrel.image" -}}
{{- with (index . 0).Values.registry }}{{ . | trimSuffix "/" }}/{{ end }}{{ index . 1 }}
{{- end -}}

{{- define "whimbrel.own-image" -}}
{{- $variant := ternary (printf "-%s" .Values.image.variant) "" (ne .Values.image.variant "") -}}
{{- $tag := .Values.image.tag | default (printf "%s%s" .Chart.AppVersion $variant) -}}
{{- include "whimbrel.image" (list . (printf "%s:%s" .Values.image.repository $tag)) -}}
{{- end -}}

{{- define "whimbrel.postgres" -}}
postgresql://whimbrel@{{ include "whimbrel.name" . }}-postgres/whimbrel
{{- end -}}

{{- /* Whether database and data are shared, so that there may be several workers. */ -}}
{{- define "whimbrel.is-shared" -}}
{{- if and (or .Values.postgres.enabled .Values.database) (eq .Values.data.accessMode "ReadWriteMany") }}yes{{ end -}}
{{- end -}}

{{- define "whimbrel.env" -}}
- {name: WHIMBREL_HOME, value: /data}
- {name: OMP_WAIT_POLICY, value: PASSIVE}
- {name: GOMP_SPINCOUNT, value: "0"}
- {name: MPLCONFIGDIR, value: /tmp/matplotlib}
# The probes come from outside the container.
- {name: SLACK_HEALTH_HOST, value: 0.0.0.0}
- {name: SLACK_HEALTH_PORT, value: {{ .Values.health.port | quote }}}
{{- if .Values.api.enabled }}
- {name: WHIMBREL_API_LISTEN_HOST, value: 0.0.0.0}
- {name: WHIMBREL_API_LISTEN_PORT, value: {{ .Values.api.port | quote }}}
{{- end }}
{{- if .Values.vllm.enabled }}
- {name: WHIMBREL_GENERATOR, value: "http://{{ include "whimbrel.name" . }}-vllm:8000/v1#{{ .Values.vllm.model }}"}
{{- end }}
{{- if .Values.tei.enabled }}
- {name: WHIMBREL_EMBEDDER, value: "http://{{ include "whimbrel.name" . }}-tei:8000/v1#{{ .Values.tei.model }}"}
{{- end }}
{{- if .Values.postgres.enabled }}
- name: PGPASSWORD
  valueFrom: {secretKeyRef: {name: {{ .Values.postgres.secret }}, key: PGPASSWORD}}
{{- end }}
{{- $postgres := ternary (include "whimbrel.postgres" .) "" .Values.postgres.enabled }}
{{- with .Values.database | default $postgres }}
- {name: WHIMBREL_DATABASE, value: {{ . | quote }}}
{{- end }}
{{- with .Values.index | default $postgres }}
- {name: WHIMBREL_INDEX, value: {{ . | quote }}}
{{- end }}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}

{{- /* What the bot's pod and those of its jobs have in common; volumes come last, so that more may follow. */ -}}
{{- define "whimbrel.pod" -}}
automountServiceAccountToken: false
# A Service called whimbrel would put variables of its own among the settings.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - {name: {{ . }}}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
volumes:
  - name: data
    persistentVolumeClaim: {claimName: {{ .Values.data.claim | default (printf "%s-data" (include "whimbrel.name" .)) }}}
  - name: documents
    persistentVolumeClaim: {claimName: {{ .Values.documents.claim | default (printf "%s-documents" (include "whimbrel.name" .)) }}}
  - name: config
    configMap: {name: {{ include "whimbrel.name" . }}}
  - name: tmp
    emptyDir: {}
{{- end -}}

{{- define "whimbrel.secrets" -}}
{{- range . }}
{{- if . }}
- secretRef: {name: {{ . }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "whimbrel.container" -}}
image: {{ include "whimbrel.own-image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
# whimbrel.toml is read from here.
workingDir: /config
resources: {{- toYaml .Values.resources | nindent 2 }}
{{ include "whimbrel.closed" . }}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: documents, mountPath: /documents, readOnly: true}
  - {name: config, mountPath: /config, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "whimbrel.closed" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}
