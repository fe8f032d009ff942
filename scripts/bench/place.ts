// Where one measurement's job lives: its cloud (a folder), its queue and its job DB.
import { join } from 'node:path'
import { openProvider } from '../../infra/open-provider.ts'
import type { Provider } from '../../infra/provider.ts'

export const JOB_ID = 'bench'
export const LEASE_SECONDS = 60

export function openLocalCloud(folder: string): Promise<Provider> {
  return openProvider('local', { env: {}, local: { root: cloudFolder(folder) } })
}

export function cloudFolder(folder: string): string {
  return join(folder, 'cloud')
}

export function jobDbFile(folder: string): string {
  return join(folder, 'job.db')
}
