import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../process/free-ports.ts'
import { Program } from '../process/program.ts'
import { writeCertificates } from './certificates.ts'
import { apiServerFlags, controllerFlags, etcdFlags, kwokFlags, quiet } from './component-flags.ts'

export interface ControlPlaneOptions {
  /** The folder of programs of the part `kubernetes`. */
  binaries: string
  /** Without the controllers, the scheduler and a node there are no pods: enough for schemas. */
  workloads?: boolean
}

export interface CommandResult {
  code: number
  stdout: string
  stderr: string
}

/** A real Kubernetes control plane on loopback whose pods only pretend to run. It ends with the process at the latest. */
export interface ControlPlane {
  /** Path of a kubeconfig of the cluster's administrator. */
  kubeconfig: string
  /** Path of the API server's audit log: one JSON event a line, who asked which verb of what. */
  auditLog: string
  apiServer: Program
  etcd: Program
  /** Runs kubectl as administrator; never rejects for its exit code. */
  kubectl(args: readonly string[], input?: string): Promise<CommandResult>
  /** The same for what must work: answers its output, and throws what it says when it fails. */
  run(args: readonly string[], input?: string): Promise<string>
  stop(): Promise<void>
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
`

/** kwok takes a node with this annotation for its own, and lets its pods become Ready at once. */
const node = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: 'fake',
    annotations: { 'kwok.x-k8s.io/node': 'fake' },
    labels: { 'kubernetes.io/hostname': 'fake', 'kubernetes.io/os': 'linux' },
  },
  status: {
    allocatable: { cpu: '64', memory: '256Gi', pods: '2000' },
    capacity: { cpu: '64', memory: '256Gi', pods: '2000' },
  },
})

/** Starts etcd and the API server, and unless told otherwise the controllers, the scheduler and a node; waits until all are ready. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { binaries, workloads = true } = options
  const folder = await mkdtemp(join(tmpdir(), 'carillon-kubernetes-'))
  const pki = join(folder, 'pki')
  await mkdir(pki)
  await writeCertificates(pki)
  const ports = await freePorts(6)
  const url = `https://127.0.0.1:${ports[2]}`
  const kubeconfig = await writeKubeconfig(folder, 'admin', url)
  const auditLog = join(folder, 'audit.log')
  const cache = join(folder, 'kubectl')
  await writeFile(join(folder, 'audit-policy.yaml'), auditPolicy)
  const credentials = await readCredentials(pki)

  const component = (name: string, flags: Record<string, string>, readyUrl?: string) =>
    new Program({
      program: join(binaries, name),
      args: Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
      log: join(folder, `${name}.log`),
      ...(readyUrl !== undefined && { isReady: () => answers(readyUrl, credentials) }),
    })

  const etcd = component('etcd', etcdFlags(folder, ports))
  const apiServer = component('kube-apiserver', apiServerFlags(folder, pki, ports), `${url}/readyz`)
  const others: Program[] = []
  const kubectl: ControlPlane['kubectl'] = (args, input) =>
    // What it remembers of a cluster goes by its address: the next one that has this port is another one.
    execute(join(binaries, 'kubectl'), ['--kubeconfig', kubeconfig, '--cache-dir', cache, ...args], input)
  const run: ControlPlane['run'] = async (args, input) => {
    const { code, stdout, stderr } = await kubectl(args, input)
    if (code !== 0) throw new Error(stderr.trim())
    return stdout
  }
  const stop = async () => {
    await Promise.all([...others, apiServer, etcd].map((part) => part.kill()))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await etcd.start()
    await apiServer.start()
    if (workloads) {
      const managerConfig = await writeKubeconfig(folder, 'controller-manager', url)
      const schedulerConfig = await writeKubeconfig(folder, 'scheduler', url)
      others.push(
        component('kube-controller-manager', controllerFlags(pki, managerConfig)),
        component('kube-scheduler', { ...quiet, kubeconfig: schedulerConfig, 'secure-port': '0' }),
        component('kwok', kwokFlags(binaries, pki, kubeconfig, ports)),
      )
      await Promise.all(others.map((part) => part.start()))
      await run(['create', '-f', '-'], node)
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { kubeconfig, auditLog, apiServer, etcd, kubectl, run, stop }
}

/** Whether a URL answers 200. */
function answers(url: string, credentials: Credentials): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request(url, { ...credentials, timeout: 2_000, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    probe.on('timeout', () => probe.destroy())
    probe.on('error', () => resolve(false))
    probe.on('close', () => resolve(false))
    probe.end()
  })
}

interface Credentials {
  ca: Buffer
  cert: Buffer
  key: Buffer
}

async function readCredentials(pki: string): Promise<Credentials> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((file) => readFile(join(pki, file))),
  )
  return { ca: ca!, cert: cert!, key: key! }
}

async function writeKubeconfig(folder: string, user: string, server: string): Promise<string> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', `${user}.crt`, `${user}.key`].map((file) => readFile(join(folder, 'pki', file), 'base64')),
  )
  const path = join(folder, `${user}.kubeconfig`)
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': ca } }],
    users: [{ name: user, user: { 'client-certificate-data': cert, 'client-key-data': key } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user, namespace: 'default' } }],
    'current-context': 'test',
  }
  await writeFile(path, JSON.stringify(config), { mode: 0o600 })
  return path
}

async function execute(program: string, args: readonly string[], input = ''): Promise<CommandResult> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin.on('error', () => {}).end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  return {
    code: code ?? 1,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  }
}
