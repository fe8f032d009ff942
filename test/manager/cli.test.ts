import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../core/errors.ts'
import { COMMANDS, optionsOf } from '../../manager/cli/commands.ts'
import { parseCommandLine } from '../../manager/cli/parse-command-line.ts'
import { renderHelp } from '../../manager/cli/render-help.ts'
import { JobFolder } from '../support/job-folder.ts'

function parse(line: string) {
  const parsed = parseCommandLine(line.split(' '))
  assert.ok(parsed.kind === 'run', parsed.kind)
  return { name: parsed.command.name, options: parsed.options }
}

function refusal(line: string): string {
  try {
    parseCommandLine(line === '' ? [] : line.split(' '))
  } catch (error) {
    assert.ok(error instanceof UserError)
    assert.equal(error.exitCode, 2)
    return error.message
  }
  return assert.fail(`accepted: ${line}`)
}

describe('the command line', () => {
  it('knows every command with hyphens and with underscores', () => {
    for (const { name } of COMMANDS) {
      assert.equal(parse(name).name, name)
      assert.equal(parse(name.replaceAll('_', '-')).name, name)
    }
  })

  it('takes options in every usual form', () => {
    const { options } = parse(
      'run --task-file=a.json --start-task 3 --max-total-price-per-hour 1.5 -f -vv --no-retry-on-exit',
    )
    assert.equal(options.text('task-file'), 'a.json')
    assert.equal(options.count('start-task'), 3)
    assert.equal(options.count('max-total-price-per-hour'), 1.5)
    assert.equal(options.has('force'), true)
    assert.equal(options.count('verbose'), 2)
    assert.equal(options.value('retry-on-exit'), false)
    assert.equal(options.value('retry-on-timeout'), undefined)
  })

  it('takes several words, also in one, for instance types', () => {
    const { options } = parse('run --instance-types n2-,t2 c3 --dry-run --boot-disk-types pd-ssd a,b')
    assert.deepEqual(options.value('instance-types'), ['n2-', 't2', 'c3'])
    assert.deepEqual(options.value('boot-disk-types'), ['pd-ssd', 'a,b'])
  })

  it('lets options be shortened while they stay unique', () => {
    assert.equal(parse('run --start-t 3').options.count('start-task'), 3)
    assert.equal(parse('run --cont').options.has('continue'), true)
    assert.equal(parse('purge_queue --task').options.has('task-queue-only'), true)
    assert.match(refusal('run --max-total 3'), /--max-total could be --max-total-cpus or --max-total-price-per-hour or/)
  })

  it('takes what is short for an option of the Python package as that option, whatever we added', () => {
    assert.equal(parse('run --max-inst 3').options.count('max-instances'), 3)
    assert.equal(parse('run --task a.json').options.text('task-file'), 'a.json')
    assert.equal(parse('run --task-p ./a.ts').options.text('task-program'), './a.ts')
  })

  it('takes a descending column for an option value', () => {
    assert.equal(parse('list_running_instances --sort-by -created -v').options.text('sort-by'), '-created')
  })

  for (const [line, message] of [
    ['', /which command/],
    ['rum', /unknown command "rum"; did you mean run\?/],
    ['--config a run', /the command comes first/],
    ['run --max-instance-typos 3', /run has no option --max-instance-typos/],
    ['run --limit', /--limit needs a value/],
    ['run --limit two', /--limit must be a whole number, not "two"/],
    ['run --limit 2.5', /--limit must be a whole number/],
    ['run --force=yes', /--force takes no value/],
    ['run --provider ibm', /--provider must be one of local, aws/],
    ['run extra', /run takes no "extra"/],
    ['status --limit 3', /status has no option --limit/],
    ['purge_queue --task-queue-only --event-queue-only', /exclude each other/],
  ] as const) {
    it(`answers "${line}" with one sentence and exit code 2`, () => {
      assert.match(refusal(line), message)
      assert.doesNotMatch(refusal(line), /\n/)
    })
  }

  it('explains every option of every command in --help', () => {
    assert.ok(COMMANDS.every(({ name }) => renderHelp(undefined).includes(`  ${name} `)))
    for (const command of COMMANDS) {
      const help = renderHelp(command)
      for (const { flag } of optionsOf(command)) assert.ok(help.includes(flag), `${command.name} --${flag}`)
    }
  })

  it('has no option twice in a command', () => {
    for (const command of COMMANDS) {
      const flags = optionsOf(command).map(({ flag }) => flag)
      assert.deepEqual(flags, [...new Set(flags)], command.name)
    }
  })
})

describe('cloud-tasks', () => {
  let folder: JobFolder
  before(() => {
    folder = new JobFolder({ jobId: 'cli', taskCount: 20 })
  })
  after(() => folder.remove())
  const inFolder = (line: string) => folder.run(...line.split(' '), '--config', 'job.yml')

  it('loads tasks, shows one and leaves it, and empties the queue only after the exact words', async () => {
    const loaded = await inFolder('load_queue --task-file tasks.json')
    assert.equal(loaded.exitCode, 0, loaded.stderr)
    assert.match(loaded.stdout, /Loaded 20 tasks/)
    const shown = await inFolder('show_queue --detail')
    assert.match(shown.stdout, /Queue depth: 20\n/)
    assert.match(shown.stdout, /Task ID: sum-0\n/)
    assert.match(shown.stdout, /Note: Message was not removed from the queue/)

    const asked = await inFolder('purge_queue --task-queue-only')
    assert.equal(asked.exitCode, 0)
    assert.match(asked.stdout, /^Task queue 'cli' has 20 messages\.\nOperation cancelled\.\n$/)
    const forced = await inFolder('purge_queue --task-queue-only --force')
    assert.match(forced.stdout, /has been emptied/)
    assert.doesNotMatch(forced.stdout, /cli-events/)
    const after = JSON.parse((await inFolder('show_queue --json')).stdout)
    assert.deepEqual([after.ready, after.leased], [0, 0])
    const again = await inFolder('load_queue --continue')
    assert.match(again.stdout, /^20 tasks were in no queue any more and have been sent again\nLoaded 20 tasks/)
    assert.equal(JSON.parse((await inFolder('show_queue --json')).stdout).ready, 20)
    assert.match((await inFolder('load_queue --continue')).stdout, /^Loaded 20 tasks/)
    await inFolder('delete_queue --force')
    assert.equal((await inFolder('show_queue')).exitCode, 1)
  })

  it('does to a queue only what was confirmed with the exact words', async () => {
    const job = ['--config', 'job.yml', '--job-id', 'asked']
    await folder.run('deploy', ...job)
    const tell = (command: string, answers: string) => {
      const words = [fileURLToPath(new URL('../../manager/main.ts', import.meta.url)), command, ...job]
      return spawnSync(process.execPath, words, { cwd: folder.path, input: answers, encoding: 'utf8', timeout: 30_000 })
    }
    const wrong = tell('delete_queue', 'DELETE asked \n')
    assert.match(wrong.stderr, /WARNING: This will permanently delete the queue 'asked' from LOCAL\./)
    assert.equal(wrong.stdout, 'Operation cancelled.\n')
    const half = tell('purge_queue', 'EMPTY asked\n')
    assert.match(
      half.stdout,
      /Emptying queue 'asked'\.\.\.\n[\s\S]*Event queue 'asked-events' has 0 messages\.\nOperation cancelled/,
    )
    const both = tell('delete_queue', 'DELETE asked\nDELETE asked-events\n')
    assert.match(both.stdout, /^Queue 'asked' has been deleted\.$/m)
    assert.match(both.stdout, /^Queue 'asked-events' has been deleted\.$/m)
    assert.equal((await folder.run('show_queue', ...job)).exitCode, 1)
  })

  it('never replaces a database without a terminal to ask at, unless forced', async () => {
    const before = readFileSync(folder.dbFile)
    for (const command of ['load_queue', 'run']) {
      const { exitCode, stderr } = await inFolder(`${command} --task-file tasks.json`)
      assert.equal(exitCode, 1)
      assert.match(stderr, /is there already: database .*--force .*--continue/)
    }
    assert.deepEqual(readFileSync(folder.dbFile), before)
  })

  it('keeps the earlier job when the new task file is bad, even if forced', async () => {
    const before = readFileSync(folder.dbFile)
    folder.write('twice.json', '[{"task_id":"a","data":{}},{"task_id":"a","data":{}}]')
    folder.write('cut.json', '[{"task_id":"a","data":{}},{"task')
    for (const [file, message] of [
      ['twice.json', /"a" is given twice/],
      ['cut.json', /cut\.json.*truncated/],
      ['none.json', /none\.json does not exist/],
    ] as const) {
      const { exitCode, stderr } = await inFolder(`load_queue --force --task-file ${file}`)
      assert.equal(exitCode, 1)
      assert.match(stderr, message)
      assert.equal(stderr.trim().split('\n').length, 1, stderr)
    }
    assert.deepEqual(readFileSync(folder.dbFile), before)
  })

  it('says what is wrong with a job file on stdout: file, line, key', async () => {
    folder.write('bad.yml', 'provider: local\nrun:\n  max_instances: 3\n  max_intances: 4\n')
    const { exitCode, stdout } = await folder.run('check_config', '--config', 'bad.yml')
    assert.equal(exitCode, 1)
    assert.equal(
      stdout,
      'Invalid configuration: bad.yml line 4: run.max_intances is not a known key; did you mean max_instances?\n',
    )
    folder.write('bad.yml', 'provider: local\nrun: {max_instances: [}\n')
    assert.match(
      (await folder.run('status', '--config', 'bad.yml')).stdout,
      /^Invalid configuration: bad\.yml line 2: not YAML/,
    )
    assert.match(
      (await folder.run('status', '--config', 'no.yml')).stdout,
      /^Invalid configuration: job file no\.yml does not exist\n$/,
    )
    assert.match((await folder.run('status')).stdout, /^Invalid configuration: Provider must be specified/)
  })

  it('changes nothing in a dry run', async () => {
    folder.write('dry.yml', 'provider: local\nlocal: {job_id: dry}\nrun: {task: ./task.ts}\n')
    const { exitCode, stdout } = await folder.run(
      'run',
      '--config',
      'dry.yml',
      '--task-file',
      'tasks.json',
      '--dry-run',
      '--limit',
      '3',
    )
    assert.equal(exitCode, 0)
    assert.match(stdout, /nothing is changed/)
    assert.match(stdout, /tasks +3\n/)
    assert.equal(existsSync(folder.file('dry.db')), false)
    assert.match((await folder.run('show_queue', '--config', 'dry.yml')).stdout, /does not exist/)
  })

  it('says before a job what would fail in it', async () => {
    const well = await inFolder('doctor --job-id healthy')
    assert.equal(well.exitCode, 0, well.stdout)
    assert.equal(well.stdout.match(/^ok /gm)?.length, 8)
    const ill = await inFolder(
      'doctor --job-id healthy --task-program ./gone.ts --max-total-price-per-hour 0.0001 --json',
    )
    assert.equal(ill.exitCode, 1)
    const failures = JSON.parse(ill.stdout).filter(({ ok }: { ok: boolean }) => !ok)
    assert.deepEqual(
      failures.map(({ check }: { check: string }) => check),
      ['offers', 'task'],
    )
    assert.match((await inFolder('show_queue --job-id healthy-doctor')).stdout, /does not exist/)
  })

  it('brings the stack up and down', async () => {
    const up = await inFolder('deploy --job-id deployed')
    assert.match(up.stdout, /'deployed' is deployed/)
    assert.equal((await inFolder('show_queue --job-id deployed')).exitCode, 0)
    assert.equal((await inFolder('destroy --job-id deployed')).exitCode, 1)
    assert.equal((await inFolder('destroy --job-id deployed --force')).exitCode, 0)
    assert.equal((await inFolder('show_queue --job-id deployed')).exitCode, 1)
  })

  it('lists what is on offer, also from a catalog file', async () => {
    folder.write(
      'offers.json',
      JSON.stringify([
        { instance_type: 'tiny', vcpus: 1, memory_gb: 1, price_per_hour: 0.01, zone: 'z' },
        { instance_type: 'huge', vcpus: 64, memory_gb: 256, price_per_hour: 0.9, zone: 'z' },
      ]),
    )
    const { stdout } = await inFolder('list_instance_types --catalog offers.json --json --min-cpu 2')
    assert.deepEqual(
      JSON.parse(stdout).map((row: { instance_type: string }) => row.instance_type),
      ['huge'],
    )
    assert.match((await inFolder('list_instance_types --min-cpu 4096')).stdout, /No instance types found/)
    assert.match((await inFolder('list_regions')).stdout, /\| local /)
    assert.match((await inFolder('list_running_instances')).stdout, /Summary: 0 total instances/)
    const everywhere = await folder.run('list_running_instances', '--provider', 'local', '--all-instances')
    assert.match(everywhere.stdout, /^Instances of all jobs:\nSummary: 0 total instances/)
    assert.equal((await folder.run('list_running_instances', '--provider', 'local')).exitCode, 1)
    assert.equal((await inFolder('list_running_instances --sort-by colour')).exitCode, 1)
  })
})
