import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { until } from '../balance/load.ts'

const harness = new URL('program.ts', import.meta.url).href

it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  'a program ends with the process that runs it, by %s',
  async (signal) => {
    const folder = await mkdtemp(join(tmpdir(), 'carillon-program-'))
    // Says its process id into its log, and would stay for ever.
    const inner = 'console.log(process.pid); setInterval(() => {}, 1000)'
    const log = join(folder, 'log')
    const outer = `
      import { readFile } from 'node:fs/promises'
      import { Program } from ${JSON.stringify(harness)}
      const isReady = async () => (await readFile(${JSON.stringify(log)}, 'utf8')).endsWith('\\n')
      const args = ['-e', ${JSON.stringify(inner)}]
      await new Program({ program: process.execPath, args, log: ${JSON.stringify(log)}, isReady }).start()
      process.stdout.write(await readFile(${JSON.stringify(log)}, 'utf8'))
      setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', outer], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer]
      const pid = Number(line.toString())
      const ended = once(parent, 'exit')
      parent.kill(signal)
      expect(await ended).toEqual([null, signal])
      await until(() => !isRunning(pid), 'the program has ended')
    } finally {
      parent.kill('SIGKILL')
      await rm(folder, { recursive: true })
    }
  },
  60_000,
)

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
