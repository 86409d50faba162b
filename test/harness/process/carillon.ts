import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { untilReady } from './until-ready.ts'

const bin = fileURLToPath(new URL('../../../bin/carillon', import.meta.url))

export interface CarillonProcess {
  /** Where its API listens: `http://127.0.0.1:…`. */
  url: string
  process: ChildProcess
  /** Everything it printed so far, both streams. */
  output(): string
  /** Ends it without a chance to say good-bye (SIGKILL), and waits for its end. */
  kill(): Promise<void>
  /** Asks it to end (SIGTERM) and answers its exit code. */
  stop(): Promise<number | null>
}

/** How long a start may take on a loaded machine: `initdb`, recovery after a crash, the first catalog. */
const startDeadline = 180_000

/** Starts `carillon dev` on its own data and a free port, and waits until it is ready. */
export async function startCarillon(options: {
  dataDir: string
  manifests: string
  env?: Record<string, string>
}): Promise<CarillonProcess> {
  const endpoint = join(options.dataDir, 'endpoint')
  await rm(endpoint, { force: true })
  const child = spawn(bin, ['dev'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      CARILLON_DATA_DIR: options.dataDir,
      CARILLON_MANIFESTS: options.manifests,
      CARILLON_LISTEN: '127.0.0.1:0',
      ...options.env,
    },
  })
  const chunks: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
  const output = () => chunks.join('')
  const ended = once(child, 'exit')
  const running = { process: child, output }
  const findUrl = () =>
    readFile(endpoint, 'utf8').then(
      (text) => text.trim(),
      () => undefined,
    )
  const url = await untilReady('carillon dev', running, findUrl, startDeadline)
  return {
    ...running,
    url,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
      return child.exitCode
    },
  }
}
