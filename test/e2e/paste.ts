import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const curl = fileURLToPath(new URL('curl.ts', import.meta.url))

/** Runs a command line in a shell, as somebody who pastes it does, and answers its output. Throws when it fails. */
export async function paste(command: string): Promise<string> {
  const script = `set -e; curl() { "$NODE" "$CURL" "$@"; }; ${command}`
  const env = { ...process.env, NODE: process.execPath, CURL: curl }
  const shell = spawn('sh', ['-c', script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const output: Buffer[] = []
  shell.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  const [code] = (await once(shell, 'close')) as [number | null]
  if (code !== 0) throw new Error(`exit code ${code}: ${command}`)
  return Buffer.concat(output).toString()
}
