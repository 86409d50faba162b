import { settings } from './known.ts'
import { renderFlags } from './render-flags.ts'
import { replayFlags } from './replay-flags.ts'
import { sendFlags } from './send-flags.ts'

/** Which settings each role reads. Here, and not beside its code, so that `--help` loads none of that. */

const kafka = {
  kafkaBootstrapServers: settings.kafkaBootstrapServers,
  kafkaSecurityProtocol: settings.kafkaSecurityProtocol,
  kafkaSaslMechanism: settings.kafkaSaslMechanism,
  kafkaSaslUsername: settings.kafkaSaslUsername,
  kafkaSaslPasswordFile: settings.kafkaSaslPasswordFile,
  kafkaSslCaFile: settings.kafkaSslCaFile,
  topicPrefix: settings.topicPrefix,
}
const { databaseUrl, healthListen, installKeyFile, logLevel } = settings

export const devSettings = {
  listen: settings.listen,
  dataDir: settings.dataDir,
  manifests: settings.manifests,
  secretsDir: settings.secretsDir,
  topicPrefix: settings.topicPrefix,
  emailHost: settings.emailHost,
  emailPort: settings.emailPort,
  emailUsername: settings.emailUsername,
  emailPassword: settings.emailPassword,
  emailFrom: settings.emailFrom,
  historyRetention: settings.historyRetention,
  logLevel,
}

export const apiSettings = {
  listen: settings.listen,
  healthListen,
  ...kafka,
  databaseUrl,
  installKeyFile,
  logLevel,
}

export const plannerSettings = {
  healthListen,
  ...kafka,
  databaseUrl,
  installKeyFile,
  historyRetention: settings.historyRetention,
  logLevel,
}

export const workerSettings = {
  channel: settings.channel,
  healthListen,
  ...kafka,
  databaseUrl,
  redisUrl: settings.redisUrl,
  secretsDir: settings.secretsDir,
  logLevel,
}

export const operatorSettings = {
  kubeconfig: settings.kubeconfig,
  namespace: settings.namespace,
  watchNamespaces: settings.watchNamespaces,
  image: settings.image,
  dryRun: settings.dryRun,
  topicReplicas: settings.topicReplicas,
  takeOverFrom: settings.takeOverFrom,
  healthListen,
  ...kafka,
  databaseUrl,
  redisUrl: settings.redisUrl,
  logLevel,
}

export const applySettings = {
  manifestsToApply: settings.manifestsToApply,
  dryRun: settings.dryRun,
  topicReplicas: settings.topicReplicas,
  takeOverFrom: settings.takeOverFrom,
  installKeyFile,
  ...kafka,
  logLevel,
}

export const migrateSettings = { databaseUrl, logLevel }

export const replaySettings = {
  api: settings.api,
  ...replayFlags,
  dryRun: settings.dryRun,
  yes: settings.yes,
}

export const sendSettings = { api: settings.api, ...sendFlags }

export const renderSettings = {
  manifestsToRender: settings.manifestsToApply,
  topicPrefix: settings.topicPrefix,
  ...renderFlags,
}
