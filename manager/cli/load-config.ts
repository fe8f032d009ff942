// Lays the command line over the job file. Every complaint about either is an InvalidConfiguration.
import type { SectionValues } from '../../core/config-keys.ts'
import { UserError } from '../../core/errors.ts'
import { parseConfigValue } from '../../core/job-file.ts'
import { type LoadedConfig, loadJobFile } from '../../infra/load-job-file.ts'
import { COMMANDS, optionsOf } from './commands.ts'
import type { Invocation } from './invocation.ts'

/** Printed on stdout as `Invalid configuration: …`; exit code 1. */
class InvalidConfiguration extends Error {
  override readonly name = 'InvalidConfiguration'
}

export async function loadConfig({ options, terminal }: Invocation): Promise<LoadedConfig> {
  try {
    const loaded = loadJobFile({
      path: options.text('config'),
      commandLine: commandLineValues({ options }),
      provider: options.text('provider'),
    })
    for (const warning of loaded.layered.warnings) terminal.log('WARNING', warning)
    return loaded
  } catch (error) {
    if (error instanceof UserError && error.exitCode === 1)
      throw new InvalidConfiguration(error.message, { cause: error })
    throw error
  }
}

const CONFIG_OPTIONS = new Map(
  COMMANDS.flatMap(optionsOf).flatMap(option => (option.key === undefined ? [] : [[option.flag, option.key] as const])),
)

function commandLineValues({ options }: Pick<Invocation, 'options'>): SectionValues {
  const values: Record<string, unknown> = {}
  for (const [flag, key] of CONFIG_OPTIONS) {
    const given = options.value(flag)
    if (given === undefined) continue
    const parsed = parseConfigValue(key, key === 'on_demand_fallback' ? fallbackOf(String(given)) : given)
    if ('message' in parsed) throw new UserError(`--${flag} ${parsed.message}, got ${JSON.stringify(given)}`)
    values[key] = parsed.value
  }
  return values
}

/** `after_wait=600` → `{ after_wait: 600 }`. */
function fallbackOf(text: string): unknown {
  const [name = '', value] = text.split(/[=:]/)
  return value === undefined ? text : { [name.trim().replaceAll('-', '_')]: value.trim() }
}
