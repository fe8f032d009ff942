// The agent's settings for those who watch it. Part of the table in settings.ts.
import type { Setting } from './setting-spec.ts'

export const METRICS_SETTINGS = {
  metricsPort: {
    flag: 'metrics-port',
    env: 'RMS_CLOUD_TASKS_METRICS_PORT',
    type: 'integer',
    min: 0,
    doc: 'serve metrics to Prometheus at this port; 0 = any that is free (default: none)',
  },
  metricsHost: {
    flag: 'metrics-host',
    env: 'RMS_CLOUD_TASKS_METRICS_HOST',
    type: 'text',
    default: '127.0.0.1',
    doc: 'address that metrics are served at',
  },
} as const satisfies Readonly<Record<string, Setting>>
