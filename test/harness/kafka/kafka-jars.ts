import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../parts/cache-folder.ts'
import { installDebianPackages } from '../parts/debian.ts'
import { findProgram } from '../parts/find-program.ts'

type Environment = Readonly<Record<string, string | undefined>>

const pom = join(import.meta.dirname, 'kafka-pom.xml')
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

/** The folder of a broker's jars, or undefined when they, or a Java to run them, are not on this machine. */
export function findKafkaJars(env: Environment): string | undefined {
  const folder = jarsFolder(env)
  return existsSync(folder) && findProgram('java', env) !== undefined ? folder : undefined
}

/** Fetches the jars from Maven Central; Java and Maven come from Debian when they are missing. Throws when it cannot. */
export async function installKafkaJars(env: Environment = process.env): Promise<void> {
  if (findProgram('java', env) === undefined || findProgram('mvn', env) === undefined) {
    await installDebianPackages(['default-jre-headless', 'maven'])
  }
  const folder = jarsFolder(env)
  if (existsSync(folder)) return
  await mkdir(cacheFolder(env), { recursive: true })
  // Renamed when it is whole: a folder that is there needs no other stamp.
  const fresh = await mkdtemp(`${folder}.`)
  try {
    await maven(['--file', pom, copyDependencies, `-DoutputDirectory=${fresh}`, '-DincludeScope=runtime'])
    await rename(fresh, folder)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}

/** Outside the tree, beside the Node that `bin/with-node` installs; another list of jars is another folder. */
function jarsFolder(env: Environment): string {
  const stamp = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12)
  return join(cacheFolder(env), `kafka-4.3.1-${stamp}`)
}

async function maven(args: readonly string[]): Promise<void> {
  const child = spawn('mvn', ['--quiet', '--batch-mode', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`mvn failed:\n${Buffer.concat(output).toString()}`)
}
