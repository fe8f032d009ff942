// Every command of cloud-tasks, once: its name, what it does, its options, and where its code is. Nothing else is loaded for --help.
import type { Invocation } from './invocation.ts'
import {
  CATALOG,
  CSV_OUTPUT,
  DB_FILE,
  GROUPS,
  HTML_OUTPUT,
  JSON_OUTPUT,
  LOADING,
  METRICS,
  type OptionGroup,
  type OptionSpec,
  OUTPUT_FILE,
  TASK_FILE,
} from './options.ts'

export interface Command {
  /** In snake_case; the spelling with hyphens works too. */
  readonly name: string
  readonly summary: string
  readonly groups: readonly OptionGroup[]
  /** A word behind the command, found among the options by this name. */
  readonly argument?: { readonly name: string; readonly choices: readonly string[] }
  /** Resolves to what to run: returns the exit code. */
  readonly load: () => Promise<(invocation: Invocation) => Promise<number>>
}

const JOB = [GROUPS.JOB, GROUPS.LOCATION, GROUPS.LOCAL]
const QUEUE_CHOICE = own(
  { flag: 'task-queue-only', type: 'flag', doc: 'leave the event queue alone' },
  { flag: 'event-queue-only', type: 'flag', doc: 'leave the task queue alone' },
  { flag: 'force', short: 'f', type: 'flag', doc: 'do not ask' },
)
const LISTING = [
  { flag: 'filter', type: 'text', doc: 'only rows that contain this text' },
  { flag: 'sort-by', type: 'text', doc: 'columns, separated by commas; - before one = descending' },
  { flag: 'limit', type: 'int', doc: 'at most this many rows' },
  { flag: 'detail', type: 'flag', doc: 'everything that is known' },
  JSON_OUTPUT,
] as const satisfies readonly OptionSpec[]

const ALLOW_CONTROL: OptionSpec = {
  flag: 'allow-control',
  type: 'flag',
  added: true,
  doc: 'let the page pause, resume, stop, requeue and change limits, with the token in its address',
}
const DASHBOARD: OptionGroup = {
  title: 'Dashboard',
  options: [
    { flag: 'dashboard', type: 'flag', added: true, doc: 'show a web page meanwhile; its address is printed' },
    { flag: 'dashboard-port', type: 'int', added: true, doc: 'its port on 127.0.0.1 (default one that is free)' },
    ALLOW_CONTROL,
  ],
}

export const COMMANDS: readonly Command[] = [
  {
    name: 'run',
    summary: 'do a whole job: load its tasks, start VMs, collect results, end the VMs, report',
    groups: [
      own(
        { flag: 'dry-run', type: 'flag', doc: 'say what would be done, and do nothing' },
        DB_FILE,
        OUTPUT_FILE,
        CATALOG,
        JSON_OUTPUT,
      ),
      DASHBOARD,
      METRICS,
      LOADING,
      ...JOB,
      GROUPS.POOL,
      GROUPS.INSTANCE,
    ],
    load: async () => (await import('./run-command.ts')).runCommand,
  },
  {
    name: 'plan',
    summary: 'say what a job would start, how long it would take and what it would cost, and do nothing',
    groups: [
      own(
        ...TASK_FILE,
        { flag: 'tasks', type: 'int', added: true, doc: 'this many tasks, instead of a task file' },
        {
          flag: 'sample',
          type: 'int',
          doc: 'run this many tasks here first, picked by chance, to see how long they take',
        },
        { flag: 'seconds-per-task', type: 'text', doc: 'how long tasks take; several with commas say how it varies' },
        CATALOG,
        JSON_OUTPUT,
      ),
      ...JOB,
      GROUPS.POOL,
      GROUPS.INSTANCE,
    ],
    load: async () => (await import('./plan-command.ts')).planCommand,
  },
  {
    name: 'load_queue',
    summary: 'load the tasks of a file into the database and the queue',
    groups: [own(DB_FILE), LOADING, ...JOB],
    load: async () => (await import('./load-queue-command.ts')).loadQueueCommand,
  },
  {
    name: 'monitor_event_queue',
    summary: 'collect results into the database',
    groups: [
      own(
        DB_FILE,
        OUTPUT_FILE,
        { flag: 'print-events', type: 'flag', doc: 'print every event as a JSON line' },
        { flag: 'no-auto-complete', type: 'flag', doc: 'go on when every task is done' },
        JSON_OUTPUT,
      ),
      DASHBOARD,
      METRICS,
      ...JOB,
    ],
    load: async () => (await import('./monitor-command.ts')).monitorCommand,
  },
  {
    name: 'status',
    summary: 'show VMs and queue depth',
    groups: [own(DB_FILE, JSON_OUTPUT), ...JOB],
    load: async () => (await import('./status-command.ts')).statusCommand,
  },
  {
    name: 'stop',
    summary: 'end all VMs of a job',
    groups: [own({ flag: 'purge-queue', type: 'flag', doc: 'empty the task queue too' }), ...JOB],
    load: async () => (await import('./stop-command.ts')).stopCommand,
  },
  {
    name: 'report',
    summary: 'show the report of a job from its database, at any time',
    groups: [own(DB_FILE, HTML_OUTPUT, CSV_OUTPUT, JSON_OUTPUT), GROUPS.JOB],
    load: async () => (await import('./report-command.ts')).reportCommand,
  },
  {
    name: 'dashboard',
    summary: 'show a web page about a job from its database, live while it runs and at any time after',
    groups: [
      own(
        { flag: 'port', type: 'int', added: true, doc: 'port on 127.0.0.1 (default one that is free)' },
        ALLOW_CONTROL,
        DB_FILE,
      ),
      GROUPS.JOB,
    ],
    load: async () => (await import('./dashboard-command.ts')).dashboardCommand,
  },
  {
    name: 'why',
    summary: 'say why the job has as many VMs as it has, or had',
    groups: [
      own(
        { flag: 'at', type: 'text', doc: 'at this time, in UTC: 2026-11-22T08:15:00, or 08:15 today' },
        DB_FILE,
        JSON_OUTPUT,
      ),
      GROUPS.JOB,
    ],
    load: async () => (await import('./why-command.ts')).whyCommand,
  },
  {
    name: 'show_queue',
    summary: 'show how many tasks wait',
    groups: [
      own({ flag: 'detail', type: 'flag', doc: 'show one task, and leave it in the queue' }, JSON_OUTPUT),
      ...JOB,
    ],
    load: async () => (await import('./queue-commands.ts')).showQueueCommand,
  },
  {
    name: 'purge_queue',
    summary: 'remove all messages from the queues',
    groups: [QUEUE_CHOICE, ...JOB],
    load: async () => (await import('./queue-commands.ts')).purgeQueueCommand,
  },
  {
    name: 'delete_queue',
    summary: 'delete the queues with all their messages',
    groups: [QUEUE_CHOICE, ...JOB],
    load: async () => (await import('./queue-commands.ts')).deleteQueueCommand,
  },
  {
    name: 'list_running_instances',
    summary: 'list the VMs of a job',
    groups: [
      own(
        { flag: 'all-instances', type: 'flag', doc: 'those of every job' },
        { flag: 'include-terminated', type: 'flag', doc: 'those that ended lately, too' },
        { flag: 'sort-by', type: 'text', doc: 'id, type, state, zone, created; - before one = descending' },
        { flag: 'detail', type: 'flag', doc: 'everything that is known' },
        JSON_OUTPUT,
      ),
      GROUPS.JOB_ID,
      GROUPS.LOCATION,
      GROUPS.LOCAL,
    ],
    load: async () => (await import('./instances-command.ts')).listRunningInstancesCommand,
  },
  {
    name: 'check_config',
    summary: 'print the effective configuration and where each value came from',
    groups: [own(DB_FILE), ...JOB, GROUPS.POOL, GROUPS.INSTANCE],
    load: async () => (await import('./check-config-command.ts')).checkConfigCommand,
  },
  {
    name: 'requeue',
    summary: 'put tasks that failed for good back into the queue, with new budgets',
    groups: [
      own(
        DB_FILE,
        { flag: 'all-failures', type: 'flag', doc: 'also exceptions, time-outs and exits that were not to be retried' },
        JSON_OUTPUT,
      ),
      ...JOB,
    ],
    load: async () => (await import('./requeue-command.ts')).requeueCommand,
  },
  {
    name: 'doctor',
    summary: 'check account, queues, store, offers, task and clock before money is spent',
    groups: [own(CATALOG, DB_FILE, JSON_OUTPUT), ...JOB, GROUPS.POOL, GROUPS.INSTANCE],
    load: async () => (await import('./doctor-command.ts')).doctorCommand,
  },
  {
    name: 'deploy',
    summary: 'make the queues and whatever else the job needs to stand before VMs start',
    groups: [
      own(
        { flag: 'dry-run', type: 'flag', doc: 'say what would be made, and make nothing' },
        { flag: 'no-manager', type: 'flag', doc: 'without the manager in the cloud: VMs start only while run runs' },
      ),
      ...JOB,
      GROUPS.POOL,
    ],
    load: async () => (await import('./stack-commands.ts')).deployCommand,
  },
  {
    name: 'destroy',
    summary: 'end the VMs and remove all that deploy made',
    groups: [own({ flag: 'force', short: 'f', type: 'flag', doc: 'do not ask' }), ...JOB, GROUPS.POOL],
    load: async () => (await import('./stack-commands.ts')).destroyCommand,
  },
  {
    name: 'list_regions',
    summary: 'list the regions of the cloud',
    groups: [
      own(
        { flag: 'prefix', type: 'text', doc: 'only regions that begin so' },
        { flag: 'zones', type: 'flag', doc: 'with their zones' },
        { flag: 'detail', type: 'flag', doc: 'everything that is known' },
        JSON_OUTPUT,
      ),
    ],
    load: async () => (await import('./listing-commands.ts')).listRegionsCommand,
  },
  {
    name: 'list_images',
    summary: 'list the images VMs can boot from',
    groups: [own({ flag: 'user', type: 'flag', doc: 'your own images too' }, ...LISTING)],
    load: async () => (await import('./listing-commands.ts')).listImagesCommand,
  },
  {
    name: 'list_instance_types',
    summary: 'list what VMs can be had, with prices',
    groups: [own(CATALOG, ...LISTING), GROUPS.LOCATION, GROUPS.INSTANCE],
    load: async () => (await import('./offers-command.ts')).listInstanceTypesCommand,
  },
  {
    name: 'completion',
    summary: 'print a script that completes commands and options in your shell',
    groups: [],
    argument: { name: 'shell', choices: ['bash', 'zsh', 'fish'] },
    load: async () => (await import('./completion-command.ts')).completionCommand,
  },
]

/** All options that a command understands. */
export function optionsOf(command: Command): OptionSpec[] {
  return [...command.groups, GROUPS.COMMON].flatMap(group => group.options)
}

function own(...options: readonly OptionSpec[]): OptionGroup {
  return { title: 'Options', options }
}
