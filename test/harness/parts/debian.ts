import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'

/** Installs Debian packages with apt-get. Throws when this is no Debian, when not root, or when apt-get fails. */
export async function installDebianPackages(packages: readonly string[]): Promise<void> {
  if (!existsSync('/usr/bin/apt-get'))
    throw new Error(`no apt-get here; install ${packages.join(' ')} by hand`)
  if (process.getuid?.() !== 0) {
    throw new Error(`needs root; run apt-get install ${packages.join(' ')}`)
  }
  keepPostgresFromStarting()
  await aptGet(['update'])
  await aptGet(['install', '--yes', '--no-install-recommends', ...packages])
}

/** Tests start servers of their own; Debian's package would also start one on the standard port. */
function keepPostgresFromStarting(): void {
  const folder = '/etc/postgresql-common/createcluster.d'
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/carillon-tests.conf`, 'create_main_cluster = false\n')
}

async function aptGet(args: readonly string[]): Promise<void> {
  const child = spawn('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${Buffer.concat(output).toString()}`)
}
