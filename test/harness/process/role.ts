import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { endWithProcess } from './end-with-process.ts'
import { untilReady } from './until-ready.ts'

const program = fileURLToPath(new URL('../../../bin/carillon.ts', import.meta.url))

/** One process of Carillon, as a supervisor sees it. */
export interface RoleProcess {
  process: ChildProcess
  /** Where the API listens; only of the role `api`, once it does. */
  url(): string | undefined
  /** Where its health is asked. */
  health(): string | undefined
  /** Everything it printed so far, both streams. */
  output(): string
  /** Waits until `/readyz` says so; throws with its output when it ends before, or not in time. */
  ready(milliseconds?: number): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; answers its exit code. */
  stop(): Promise<number | null>
  /** Resolves with its exit code when it has ended. */
  ended: Promise<number | null>
}

/** Starts `carillon ROLE …` with free ports and no more of the environment than it needs. */
export function startRole(args: readonly string[], env: Readonly<Record<string, string>>): RoleProcess {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...leastEnvironment(), CARILLON_HEALTH_LISTEN: '127.0.0.1:0', ...env },
  })
  let text = ''
  const note = (chunk: string) => {
    text += chunk
  }
  child.stdout.setEncoding('utf8').on('data', note)
  child.stderr.setEncoding('utf8').on('data', note)
  endWithProcess(child)
  const ended = once(child, 'close').then(() => child.exitCode)
  const said = (field: string) => new RegExp(`"${field}":"(http[^"]+)"`).exec(text)?.[1]
  const health = () => said('health')
  const running = { process: child, output: () => text }
  return {
    ...running,
    url: () => said('url'),
    health,
    ended,
    async ready(milliseconds = 120_000) {
      await untilReady(`carillon ${args.join(' ')}`, running, health, milliseconds)
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}

/** What every process of ours is given, and no more of the environment of the tests. */
export function leastEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] }
}
