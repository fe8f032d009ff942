// Renders the script a VM boots with: exported RMS_CLOUD_TASKS_* variables, then the user's own script. The same for every
// cloud. Names, order and number formats of the first 18 are those of the Python system, whose workers read them too.
import { UserError } from '../core/errors.ts'
import { BOOT_TOOLS } from './boot-tools.ts'
import type { ProviderName } from './provider.ts'

/** What a VM has to know to work for its job. Absent = not exported. */
export interface VmEnvironment {
  readonly provider: ProviderName
  /** Exported on GCP only. */
  readonly projectId?: string | undefined
  readonly jobId: string
  readonly queueName: string
  readonly vm: VmFacts | FactsAtBoot
  readonly maxRuntimeSeconds: number
  readonly retryOnExit: boolean | undefined
  readonly retryOnException: boolean | undefined
  readonly retryOnTimeout: boolean | undefined
  readonly keepaliveIntervalSeconds?: number | undefined
  readonly maxMemoryPerTaskGib?: number | undefined
  readonly exactlyOnceQueue: boolean
  readonly leaseSeconds: number
  readonly maxAttempts: number
  readonly maxPreemptions?: number | undefined
  readonly idleShutdownSeconds?: number | undefined
  readonly maxInstanceLifetimeSeconds?: number | undefined
  readonly region?: string | undefined
  readonly bucket?: string | undefined
  /** Full variable names → values, exported last. */
  readonly extra?: Readonly<Record<string, string>>
  /** Full variable names → addresses of secrets, read by the VM as it boots. */
  readonly secrets?: Readonly<Record<string, string>>
}

/** Of a VM whose script is rendered for it alone. */
export interface VmFacts {
  readonly kind: 'known'
  readonly instanceType: string
  readonly vcpuCount: number
  readonly memoryGib: number
  readonly localSsdGib: number
  readonly bootDiskGib: number
  readonly spot: boolean | undefined
  readonly priceUsdPerHour: number
  readonly tasksPerInstance: number
  /** The VM must have ended by then, or a limit of money does not hold. */
  readonly paidUntil?: Date | undefined
}

/** Of VMs of several types that boot with one script: each finds out what it is. */
export interface FactsAtBoot {
  readonly kind: 'at boot'
  /**
   * Bash that sets vm_type, vm_vcpus, vm_memory_gb, vm_ssd_gb, vm_disk_gb, vm_spot (True or False), vm_price, vm_tasks and
   * vm_paid_until (seconds since 1970; empty = no limit), whatever fails. Defines what boot-tools.ts expects.
   */
  readonly script: string
}

export interface StartupScriptParts {
  readonly environment: VmEnvironment
  readonly userScript: string
}

const PREFIX = 'RMS_CLOUD_TASKS_'
const DEFAULT_SHEBANG = '#!/bin/bash' // without one, EC2 does not run the script at all
/** Group 1 = options of bash, to be kept by who runs the script. */
const BASH_SHEBANG = /^#!\s*(?:\/\S*\/)?(?:env\s+(?:-S\s+)?)?bash(?:\s+(.*))?$/

/** The whole script. Throws a UserError for a script of another shell than bash. */
export function renderStartupScript({ environment, userScript }: StartupScriptParts): string {
  const script = userScript.replaceAll('\r', '').trim()
  const [firstLine = '', ...others] = script.split('\n')
  const exports = renderExports(environment)
  if (firstLine.startsWith('#!') && !BASH_SHEBANG.test(firstLine.trimEnd())) {
    throw new UserError(
      `The startup script must be a bash script, but starts with "${firstLine}". Use "${DEFAULT_SHEBANG}".`,
    )
  }
  const { vm } = environment
  if (vm.kind === 'at boot') return joinLines(DEFAULT_SHEBANG, BOOT_TOOLS, vm.script, exports, renderWatched(script))
  if (!firstLine.startsWith('#!')) return joinLines(DEFAULT_SHEBANG, exports, script)
  return joinLines(firstLine, exports, others.join('\n'))
}

/** In a process of its own, so that however it ends, somebody is left to end a VM that cannot work. */
function renderWatched(script: string): string {
  let end = 'CLOUD_TASKS_STARTUP_SCRIPT'
  while (script.includes(end)) end += '_'
  const text = script.startsWith('#!') ? script : `${DEFAULT_SHEBANG}\n${script}`
  const bash = ['bash', ...shebangOptions(text)].join(' ')
  return [
    'mkdir -p "$ct_home" || ct_power_off "$ct_home cannot be made"',
    `cat > "$ct_home/startup-script" <<'${end}'`,
    text,
    end,
    'export -f $(compgen -A function ct_)',
    'export $(compgen -v ct_)',
    // Ends the VM also when nothing of ours runs there any more; the agent itself needs half a minute to end in order.
    `[ -z "\${${PREFIX}MAX_INSTANCE_LIFETIME:-}" ] || shutdown -h "+$(( (${PREFIX}MAX_INSTANCE_LIFETIME + 89) / 60 ))"`,
    `${bash} "$ct_home/startup-script"`,
    'ct_code=$?',
    '[ $ct_code = 0 ] || ct_power_off "the startup script failed (exit code $ct_code)"',
  ].join('\n')
}

/** Options in the script's first line: `-e` of `#!/bin/bash -e`. */
export function shebangOptions(script: string): readonly string[] {
  const options = BASH_SHEBANG.exec(script.split('\n', 1)[0]?.trimEnd() ?? '')?.[1]?.trim()
  return options ? options.split(/\s+/) : []
}

function joinLines(...parts: readonly string[]): string {
  return `${parts.join('\n')}\n`
}

function renderExports(vm: VmEnvironment): string {
  const lines = [line('PROVIDER', vm.provider.toUpperCase())]
  if (vm.provider === 'gcp') lines.push(line('PROJECT_ID', vm.projectId ?? ''))
  lines.push('')
  for (const [name, value] of peerVariables(vm)) {
    if (value instanceof ShellVariable) lines.push(`export ${PREFIX}${name}="$${value.name}"`)
    else if (value !== undefined) lines.push(line(name, value))
  }
  for (const [name, value] of ownVariables(vm)) if (value !== undefined) lines.push(line(name, value))
  lines.push(...lifetimeLines(vm))
  for (const [name, value] of Object.entries(vm.extra ?? {})) lines.push(exportLine(name, value))
  for (const [name, address] of Object.entries(vm.secrets ?? {})) lines.push(secretLine(name, address, vm))
  return lines.join('\n')
}

/** Set by the facts script of a VM. */
class ShellVariable {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

type Variables<V = string> = readonly (readonly [name: string, value: V | undefined])[]

function peerVariables(vm: VmEnvironment): Variables<string | ShellVariable> {
  return [
    ['JOB_ID', vm.jobId],
    ['QUEUE_NAME', vm.queueName],
    ['EVENT_LOG_TO_QUEUE', '1'],
    ...factVariables(vm.vm),
    ['MAX_RUNTIME', integer(vm.maxRuntimeSeconds)],
    ['RETRY_ON_EXIT', flag(vm.retryOnExit)],
    ['RETRY_ON_EXCEPTION', flag(vm.retryOnException)],
    ['KEEPALIVE_INTERVAL', optional(vm.keepaliveIntervalSeconds, integer)],
    ['MAX_MEMORY_ALLOWED_PER_TASK', optional(vm.maxMemoryPerTaskGib, float)],
  ]
}

function factVariables(vm: VmFacts | FactsAtBoot): Variables<string | ShellVariable> {
  if (vm.kind === 'known') {
    return [
      ['INSTANCE_TYPE', vm.instanceType],
      ['INSTANCE_NUM_VCPUS', integer(vm.vcpuCount)],
      ['INSTANCE_MEM_GB', float(vm.memoryGib)],
      ['INSTANCE_SSD_GB', String(vm.localSsdGib)],
      ['INSTANCE_BOOT_DISK_GB', integer(vm.bootDiskGib)],
      ['INSTANCE_IS_SPOT', flag(vm.spot)],
      ['INSTANCE_PRICE', float(vm.priceUsdPerHour)],
      ['NUM_TASKS_PER_INSTANCE', integer(vm.tasksPerInstance)],
    ]
  }
  return [
    ['INSTANCE_TYPE', new ShellVariable('vm_type')],
    ['INSTANCE_NUM_VCPUS', new ShellVariable('vm_vcpus')],
    ['INSTANCE_MEM_GB', new ShellVariable('vm_memory_gb')],
    ['INSTANCE_SSD_GB', new ShellVariable('vm_ssd_gb')],
    ['INSTANCE_BOOT_DISK_GB', new ShellVariable('vm_disk_gb')],
    ['INSTANCE_IS_SPOT', new ShellVariable('vm_spot')],
    ['INSTANCE_PRICE', new ShellVariable('vm_price')],
    ['NUM_TASKS_PER_INSTANCE', new ShellVariable('vm_tasks')],
  ]
}

/** The VM itself finds out how much of its time is left when it has booted. */
function lifetimeLines({ vm, maxInstanceLifetimeSeconds }: VmEnvironment): string[] {
  const left = (until: string) => {
    const most = maxInstanceLifetimeSeconds
    return [
      `left=$(( ${until} - $(date +%s) ))`,
      ...(most === undefined ? [] : [`[ $left -lt ${most} ] || left=${most}`]),
      `export ${PREFIX}MAX_INSTANCE_LIFETIME=$(( left < 1 ? 1 : left ))`,
    ]
  }
  if (vm.kind === 'at boot') return ['if [ -n "$vm_paid_until" ]; then', ...left('vm_paid_until'), 'fi']
  return vm.paidUntil === undefined ? [] : left(String(Math.floor(vm.paidUntil.getTime() / 1000)))
}

function ownVariables(vm: VmEnvironment): Variables {
  return [
    ['RETRY_ON_TIMEOUT', flag(vm.retryOnTimeout)],
    ['EXACTLY_ONCE_QUEUE', flag(vm.exactlyOnceQueue)],
    ['VISIBILITY_TIMEOUT_SECONDS', String(vm.leaseSeconds)],
    ['MAX_ATTEMPTS', integer(vm.maxAttempts)],
    ['MAX_PREEMPTIONS', optional(vm.maxPreemptions, integer)],
    ['IDLE_SHUTDOWN', optional(vm.idleShutdownSeconds, String)],
    ['MAX_INSTANCE_LIFETIME', optional(vm.maxInstanceLifetimeSeconds, String)],
    ['REGION', vm.region],
    ['BUCKET', vm.bucket],
  ]
}

function optional(value: number | undefined, render: (value: number) => string): string | undefined {
  return value === undefined ? undefined : render(value)
}

function integer(value: number): string {
  return String(Math.ceil(value))
}

/** As Python prints a float. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

/** As Python prints an optional bool. Its workers read everything but `true` and `1` as false. */
function flag(value: boolean | undefined): string {
  return value === undefined ? 'None' : value ? 'True' : 'False'
}

function line(name: string, value: string): string {
  return exportLine(`${PREFIX}${name}`, value)
}

function secretLine(name: string, address: string, { vm }: VmEnvironment): string {
  checkName(name)
  if (vm.kind === 'at boot') return `ct_secret ${name} ${quote(address)}`
  // A VM that is a process of this machine has no secret store but this machine's files. The x keeps line ends.
  const read = `$(cat -- ${quote(address)} && printf x) || { echo 'The secret ${name} cannot be read.' >&2; exit 1; }`
  return `${name}=${read}; export ${name}="\${${name}%x}"`
}

function checkName(name: string): void {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return
  throw new UserError(`"${name}" cannot be the name of an environment variable of a VM.`)
}

function exportLine(name: string, value: string): string {
  checkName(name)
  if (value.includes('\0')) throw new UserError(`The value of ${name} contains U+0000, which no VM can be told.`)
  return `export ${name}=${quote(value)}`
}

/** Plain values stay as the Python system writes them; anything a shell could read as more than text is quoted. */
function quote(value: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]*$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`
}
