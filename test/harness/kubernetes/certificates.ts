import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)

interface Certificate {
  name: string
  /** User (CN) and groups (O), https://kubernetes.io/docs/setup/best-practices/certificates/. */
  subject: string
  authority: 'ca' | 'front-proxy-ca'
  usage: 'serverAuth' | 'clientAuth'
  names?: string
}

const serverNames = 'DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1'

const certificates: readonly Certificate[] = [
  {
    name: 'apiserver',
    subject: '/CN=kube-apiserver',
    authority: 'ca',
    usage: 'serverAuth',
    names: serverNames,
  },
  { name: 'admin', subject: '/O=system:masters/CN=kubernetes-admin', authority: 'ca', usage: 'clientAuth' },
  {
    name: 'controller-manager',
    subject: '/CN=system:kube-controller-manager',
    authority: 'ca',
    usage: 'clientAuth',
  },
  { name: 'scheduler', subject: '/CN=system:kube-scheduler', authority: 'ca', usage: 'clientAuth' },
  { name: 'kubelet', subject: '/O=system:nodes/CN=system:node:fake', authority: 'ca', usage: 'serverAuth' },
  {
    name: 'front-proxy',
    subject: '/CN=front-proxy-client',
    authority: 'front-proxy-ca',
    usage: 'clientAuth',
  },
]

/** Writes the keys and certificates of one control plane, `NAME.key` and `NAME.crt`, with openssl. */
export async function writeCertificates(folder: string): Promise<void> {
  await Promise.all(['ca', 'front-proxy-ca'].map((name) => authority(folder, name)))
  await Promise.all([...certificates.map((certificate) => issue(folder, certificate)), accountKeys(folder)])
}

async function authority(folder: string, name: string): Promise<void> {
  await key(folder, name)
  const extensions = [
    '-addext basicConstraints=critical,CA:TRUE',
    '-addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature',
  ]
  await openssl(
    folder,
    `req -x509 -new -key ${name}.key -subj /CN=${name} -days 30 -out ${name}.crt ${extensions.join(' ')}`,
  )
}

async function issue(folder: string, { name, subject, authority, usage, names }: Certificate): Promise<void> {
  await key(folder, name)
  const extensions = [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    `extendedKeyUsage=${usage}`,
    ...(names ? [`subjectAltName=${names}`] : []),
  ]
  await writeFile(join(folder, `${name}.ext`), extensions.join('\n'))
  await openssl(folder, `req -new -key ${name}.key -subj ${subject} -out ${name}.csr`)
  const signer = `-CA ${authority}.crt -CAkey ${authority}.key -set_serial 0x${randomBytes(8).toString('hex')}`
  await openssl(folder, `x509 -req -in ${name}.csr ${signer} -days 30 -extfile ${name}.ext -out ${name}.crt`)
}

/** What tokens of service accounts are signed with. */
async function accountKeys(folder: string): Promise<void> {
  await key(folder, 'service-account')
  await openssl(folder, 'ec -in service-account.key -pubout -out service-account.pub')
}

async function key(folder: string, name: string): Promise<void> {
  await openssl(folder, `ecparam -name prime256v1 -genkey -noout -out ${name}.key`)
}

/** @param command without spaces inside its arguments */
async function openssl(folder: string, command: string): Promise<void> {
  await exec('openssl', command.split(' '), { cwd: folder })
}
