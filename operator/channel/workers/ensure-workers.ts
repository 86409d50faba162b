import type { NotificationChannel } from '../../../core/resources/channel.ts'
import type { Children } from '../../children.ts'
import type { Platform } from '../../platform.ts'
import { isRefused } from '../../runtime/api/api-error.ts'
import type { KubernetesObject, ObjectName } from '../../runtime/api/resource-kind.ts'
import type { SecretVersions } from '../../secret-versions.ts'
import { credentialsSecret, secretNames, type SecretObject } from '../children/credentials.ts'
import { annotation, type DeploymentObject, releaseOf, workerDeployment } from '../children/deployment.ts'
import { disruptionBudget } from '../children/disruption-budget.ts'
import { type ScaledObject, scaledObject } from '../children/scaled-object.ts'
import { channelOf, childName, label } from '../names.ts'
import type { UpgradeWait, WorkersKept } from './condition.ts'
import { UpgradeBudget } from './upgrade-budget.ts'

export interface WorkersOptions {
  deployments: Children<DeploymentObject>
  budgets: Children<KubernetesObject>
  credentials: Children<SecretObject>
  secretVersions: SecretVersions
  /** Deployments that an upgrade may have between two releases at a time. */
  upgradeBudget: number
  scaledObjects: Children<ScaledObject>
  /** Whether the cluster does at present, and we may use them. */
  knowsScaledObjects: () => boolean
  /** Who else scales a Deployment of a channel whose mode is KEDA. */
  otherOwner: (deployment: string) => string | undefined
  platform: Platform
}

const nothingKept: WorkersKept = { waitsFor: undefined, scalingRefusal: undefined }

/** Makes the workers of a channel, and what belongs to them, what they should be. */
export function createWorkersKeeper(options: WorkersOptions) {
  const { deployments, budgets, credentials, scaledObjects, platform } = options
  const budget = new UpgradeBudget({
    deployments: deployments.cache,
    release: releaseOf(platform),
    places: options.upgradeBudget,
  })

  /**
   * @param generation of the channel: another one is an edit by its owner, which waits for no upgrade
   * @param found the Secrets, or undefined when they are not complete: the workers then go on with what they had, and new ones wait
   */
  return async function ensureWorkers(
    channel: NotificationChannel,
    generation: number,
    found: ReadonlyMap<string, SecretObject> | undefined,
    signal: AbortSignal,
  ): Promise<WorkersKept> {
    const live = deployments.cache.get(nameOfChildren(channel))
    let kept: { waitsFor: UpgradeWait } | undefined
    try {
      kept = await ensureDeployment(channel, live, generation, found, signal)
    } catch (error) {
      // Who suspends the channel must be obeyed, whatever else of it is refused: that is what is told.
      if (live !== undefined) await ensureScaledObject(channel, signal).catch(() => {})
      throw error
    }
    // Not before there is something to scale: KEDA would report an error.
    if (kept === undefined) return nothingKept
    const scalingRefusal = await ensureScaledObject(channel, signal).then(
      () => undefined,
      (error: unknown) => {
        if (isRefused(error)) return error.message
        throw error
      },
    )
    return { ...kept, scalingRefusal }
  }

  function nameOfChildren({ metadata }: NotificationChannel): ObjectName {
    return { namespace: platform.namespace, name: childName(metadata) }
  }

  /** Answers undefined where there is no Deployment, and none can be made yet. */
  async function ensureDeployment(
    channel: NotificationChannel,
    live: DeploymentObject | undefined,
    generation: number,
    found: ReadonlyMap<string, SecretObject> | undefined,
    signal: AbortSignal,
  ): Promise<{ waitsFor: UpgradeWait } | undefined> {
    if (found === undefined && live === undefined) return undefined
    const copy = found && credentialsSecret(channel, found, platform.namespace)
    const held = credentials.cache.get(nameOfChildren(channel))
    const secret = copy ? await credentials.apply(options.secretVersions.stamp(copy, held), signal) : held
    // The copy is gone and cannot be made again: running workers have read theirs, and new ones could not.
    if (secret === undefined && secretNames(channel).length > 0) return live && { waitsFor: undefined }
    await budgets.apply(disruptionBudget(channel, platform.namespace), signal)
    const wanted = withGeneration(workerDeployment(channel, platform, secret), generation)
    return { waitsFor: await roll(wanted, live, signal) }
  }

  async function roll(
    wanted: DeploymentObject,
    live: DeploymentObject | undefined,
    signal: AbortSignal,
  ): Promise<UpgradeWait> {
    if (live === undefined || !budget.isUpgrade(live)) {
      await deployments.apply(wanted, signal)
      return undefined
    }
    const admission = budget.admit(live, { mustGo: isEdited(live, wanted) })
    if (admission !== 'admitted') return admission.map(channelNameOf)
    try {
      await deployments.apply(wanted, signal)
    } catch (error) {
      budget.release(live)
      throw error
    }
    return undefined
  }

  async function ensureScaledObject(channel: NotificationChannel, signal: AbortSignal): Promise<void> {
    if (!options.knowsScaledObjects()) return
    const name = nameOfChildren(channel)
    // Two that scale the same workers work against each other: of the two, ours goes.
    if (channel.spec.scaling.mode === 'KEDA' && options.otherOwner(name.name) === undefined) {
      await scaledObjects.apply(scaledObject(channel, platform), signal)
      return
    }
    const live = scaledObjects.cache.get(name)
    // One of this name may be somebody else's, where the mode is None.
    if (live !== undefined && channelOf(live.metadata.labels) !== undefined)
      await scaledObjects.delete(live, signal)
  }
}

function withGeneration(deployment: DeploymentObject, generation: number): DeploymentObject {
  const annotations = { [annotation.generation]: String(generation) }
  return { ...deployment, metadata: { ...deployment.metadata, annotations } }
}

/** Whether the channel's owner asks for another Deployment, by its spec or by a Secret. */
function isEdited(live: DeploymentObject, wanted: DeploymentObject): boolean {
  const credentials = ({ spec }: DeploymentObject) =>
    spec.template.metadata?.annotations?.[annotation.credentials]
  const generation = ({ metadata }: DeploymentObject) => metadata.annotations?.[annotation.generation]
  return generation(live) !== generation(wanted) || credentials(live) !== credentials(wanted)
}

function channelNameOf({ metadata }: DeploymentObject): string {
  return `${metadata.labels?.[label.channelNamespace]}/${metadata.labels?.[label.channelName]}`
}
