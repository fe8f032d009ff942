// Where this "cloud" keeps everything: one folder with queues, VMs and objects. Whoever names the same folder is in the same cloud.
import { resolve } from 'node:path'
import type { ProviderSettings } from '../open-provider.ts'

/** Carries the folder to the VMs, whose working directory is another one. */
export const LOCAL_ROOT_VARIABLE = 'RMS_CLOUD_TASKS_LOCAL_ROOT'
const DEFAULT_ROOT = '.cloud-tasks'

/** Absolute path. The job file's `local.root` beats the environment, which beats the default. */
export function localRoot(settings: ProviderSettings): string {
  return resolve(settings.local?.root ?? (settings.env[LOCAL_ROOT_VARIABLE] || DEFAULT_ROOT))
}
