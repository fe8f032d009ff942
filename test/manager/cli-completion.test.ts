import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { COMMANDS, optionsOf } from '../../manager/cli/commands.ts'
import { renderCompletion } from '../../manager/cli/render-completion.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-completion-'))
after(() => rmSync(folder, { recursive: true }))

function scriptFor(shell: 'bash' | 'zsh' | 'fish'): string {
  const file = join(folder, `completion.${shell}`)
  writeFileSync(file, renderCompletion(shell))
  return file
}

function installed(shell: string): boolean {
  return spawnSync(shell, ['-c', 'exit 0'], { timeout: 10_000 }).status === 0
}

/** What Tab offers behind these words, in a real bash without any start-up file. */
function tab(...words: string[]): string[] {
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cloud_tasks 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`
  const args = ['--norc', '--noprofile', '-c', script, 'bash', scriptFor('bash'), ...words]
  const offered = execFileSync('bash', args, { cwd: folder, encoding: 'utf8', timeout: 10_000 })
  return offered.split('\n').filter(line => line !== '')
}

describe('completion in bash', () => {
  it('offers the commands, in either spelling', () => {
    assert.deepEqual(
      tab('cloud-tasks', ''),
      COMMANDS.map(({ name }) => name),
    )
    assert.deepEqual(tab('cloud-tasks', 'list-i'), ['list_images', 'list_instance_types'])
  })

  it('offers every option of a command', () => {
    for (const command of COMMANDS) {
      const offered = tab('cloud-tasks', command.name.replaceAll('_', '-'), '--')
      for (const { flag } of optionsOf(command)) assert.ok(offered.includes(`--${flag}`), `${command.name} --${flag}`)
    }
    assert.deepEqual(tab('cloud-tasks', 'run', '--no-retry'), [
      '--no-retry-on-exit',
      '--no-retry-on-exception',
      '--no-retry-on-timeout',
    ])
  })

  it('offers files where a file is meant, also those with a space, and the choices where there are some', () => {
    writeFileSync(join(folder, 'my tasks.json'), '[]')
    assert.deepEqual(tab('cloud-tasks', 'run', '--task-file', 'my'), ['my tasks.json'])
    assert.deepEqual(tab('cloud-tasks', 'run', '--task-file', '=', 'my'), ['my tasks.json'])
    assert.deepEqual(tab('cloud-tasks', 'run', '--architecture', 'a'), ['arm64'])
    assert.deepEqual(tab('cloud-tasks', 'run', '--limit', ''), [])
    assert.deepEqual(tab('cloud-tasks', 'completion', 'f'), ['fish'])
  })
})

for (const shell of ['zsh', 'fish'] as const) {
  describe(`completion in ${shell}`, () => {
    const text = renderCompletion(shell)

    it('names every command and option', () => {
      for (const command of COMMANDS) {
        assert.ok(text.includes(command.name))
        for (const { flag } of optionsOf(command)) assert.ok(text.includes(flag), flag)
      }
    })

    it('is free of an open quote', () => {
      const quotes = text
        .replaceAll(String.raw`'\''`, '')
        .replaceAll(String.raw`\'`, '')
        .split('\n')
        .filter(line => !line.startsWith('#'))
      for (const line of quotes) assert.equal(line.split("'").length % 2, 1, line.slice(0, 120))
    })

    if (installed(shell)) {
      it('is read by the shell itself without a complaint', () => {
        const read = spawnSync(shell, ['-n', scriptFor(shell)], { encoding: 'utf8', timeout: 20_000 })
        assert.equal(read.status, 0, read.stderr)
      })
    }

    if (shell === 'fish' && installed(shell)) {
      it('offers what fits', () => {
        const script = 'source $argv[1]; complete -C "cloud-tasks run --no-retry"'
        const offered = spawnSync(shell, ['--no-config', '-c', script, scriptFor(shell)], {
          encoding: 'utf8',
          timeout: 20_000,
        })
        assert.equal(offered.stdout.match(/^--no-retry-on-/gm)?.length, 3, offered.stderr)
      })
    }
  })
}
