// check_config: prints what a job file and the command line come to, as JSON that is itself a job file (plus `sources`).
import { RUN_KEYS } from '../../core/config-keys.ts'
import { specOf } from '../../core/job-file.ts'
import type { KeySpec } from '../../core/key-spec.ts'
import type { Invocation } from './invocation.ts'
import { loadConfig } from './load-config.ts'

export async function checkConfigCommand(invocation: Invocation): Promise<number> {
  const { layered, config } = await loadConfig(invocation)
  const shown: Record<string, unknown> = { ...layered.values }
  shown.use_spot = config.pool.spot
  if (config.queueName !== undefined) shown.queue_name = config.queueName
  if (config.dbFile !== undefined) shown.db_file = config.dbFile
  if (config.machine.architecture !== undefined) shown.architecture = config.machine.architecture
  if (config.boot.startupScript !== undefined) {
    shown.startup_script = config.boot.startupScript
    delete shown.startup_script_file
  }
  const entries = Object.entries(shown).map(([key, value]) => [key, isSecret(specOf(key)) ? '***' : value] as const)
  const sources = Object.fromEntries(
    entries.map(([key]) => [
      key,
      layered.sources[key] ?? (key === 'startup_script' ? layered.sources.startup_script_file : 'default'),
    ]),
  )
  const effective = {
    provider: layered.provider.toUpperCase(),
    run: Object.fromEntries(entries.filter(([key]) => key in RUN_KEYS)),
    [layered.provider]: Object.fromEntries(entries.filter(([key]) => !(key in RUN_KEYS))),
    sources,
  }
  invocation.terminal.print(JSON.stringify(effective, undefined, 2))
  return 0
}

function isSecret(spec: KeySpec | undefined): boolean {
  return spec?.type === 'text' && spec.secret === true
}
