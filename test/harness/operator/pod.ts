import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type RoleProcess, startRole } from '../process/role.ts'

interface PodTemplate {
  containers: {
    args: string[]
    env: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[]
    volumeMounts: { name: string; mountPath: string }[]
  }[]
  volumes: { name: string; secret?: { secretName: string; items?: { key: string; path: string }[] } }[]
}

/**
 * Does what a kubelet would with a pod of one container: the same arguments, environment and Secret files, in a folder instead of the root.
 * @param secret reads a Secret's data, decoded
 */
export async function startPod(
  { containers: [container], volumes }: PodTemplate,
  folder: string,
  secret: (name: string) => Promise<Record<string, string>>,
): Promise<RoleProcess> {
  const { args, env, volumeMounts } = container!
  for (const { name, mountPath } of volumeMounts) {
    const source = volumes.find((volume) => volume.name === name)?.secret
    await mkdir(join(folder, mountPath), { recursive: true })
    if (source === undefined) continue
    const data = await secret(source.secretName)
    const items = source.items ?? Object.keys(data).map((key) => ({ key, path: key }))
    for (const { key, path } of items) {
      const file = join(folder, mountPath, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, data[key]!)
    }
  }
  const mounts = volumeMounts.map(({ mountPath }) => mountPath)
  const settings: Record<string, string> = {}
  for (const { name, value, valueFrom } of env) {
    const text = valueFrom
      ? (await secret(valueFrom.secretKeyRef.name))[valueFrom.secretKeyRef.key]!
      : (value ?? '')
    const isFile = mounts.some((mount) => text === mount || text.startsWith(`${mount}/`))
    settings[name] = isFile ? join(folder, text) : text
  }
  // Many pods share this machine's ports.
  return startRole(args, { ...settings, CARILLON_HEALTH_LISTEN: '127.0.0.1:0' })
}
