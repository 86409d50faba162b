import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { endWithProcess } from './end-with-process.ts'

export interface ProgramOptions {
  /** A path. */
  program: string
  args: readonly string[]
  /** File that its output is added to. */
  log: string
  /** Whether it is ready; without, it is as soon as it runs. */
  isReady?: () => Promise<boolean>
}

const startDeadlineMs = 180_000

/** A program that a test may kill and start again. What it keeps on disk, and its address, are its own affair. It ends with the test's process. */
export class Program {
  readonly #options: ProgramOptions
  #process: ChildProcess | undefined

  constructor(options: ProgramOptions) {
    this.#options = options
  }

  /** Resolves once it is ready; throws with the end of its log when it ends before, or takes too long. */
  async start(): Promise<void> {
    const { program, isReady } = this.#options
    const child = spawnLogged(this.#options)
    this.#process = child
    const deadline = performance.now() + startDeadlineMs
    while (isReady !== undefined && !(await isReady())) {
      if (hasEnded(child) || performance.now() > deadline) {
        throw new Error(`${program} does not start:\n${await endOfLog(this.#options.log)}`)
      }
      await delay(50)
    }
  }

  /** `kill -9`. Resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || hasEnded(child)) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** Lets it hang, with its connections open, until `wake`. */
  hang(): void {
    this.#process?.kill('SIGSTOP')
  }

  wake(): void {
    this.#process?.kill('SIGCONT')
  }

  /** It ended, and nobody had asked it to. */
  get died(): boolean {
    return this.#process !== undefined && hasEnded(this.#process)
  }
}

/** Runs a program to its end. Throws with the end of its log when it fails. */
export async function runLogged(options: Omit<ProgramOptions, 'isReady'>): Promise<void> {
  const [code] = (await once(spawnLogged(options), 'exit')) as [number | null]
  if (code !== 0) {
    throw new Error(`${options.program} ${options.args.join(' ')} failed:\n${await endOfLog(options.log)}`)
  }
}

function spawnLogged({ program, args, log }: ProgramOptions): ChildProcess {
  const output = openSync(log, 'a')
  const child = spawn(program, args, { stdio: ['ignore', output, output] })
  closeSync(output)
  endWithProcess(child)
  return child
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

async function endOfLog(path: string): Promise<string> {
  const log = await readFile(path, 'utf8').catch(() => '')
  return log.split('\n').slice(-30).join('\n')
}
