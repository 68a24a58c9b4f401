import type { ClaimedTask, Message } from '../protocol.ts';
import type { DriverSetting } from './driver.ts';
import { usageFd } from './spent.ts';

/** The shim's own business: no program needs these, and some would let it act as the shim. */
const shimOnly =
  /^(ROUSE_(?!NODE$)|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN)$|NODE_CHANNEL_|NODE_OPTIONS$)/;

/**
 * The environment of a task's program: the container's (PATH, secrets, the task role's credentials endpoint), what the
 * template sets, and which task this is. The shim's credentials and token are in no environment at all.
 */
export function programEnvironment(setting: DriverSetting, task: ClaimedTask): Record<string, string> {
  const { containerEnv, config, user } = setting;
  const inherited = Object.entries(containerEnv).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !shimOnly.test(entry[0]),
  );
  return {
    ...Object.fromEntries(inherited),
    ...(user === null ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name }),
    // bash takes a socket on stdin for a remote login, and would read the user's .bashrc before the command.
    SHLVL: '1',
    ...config.env,
    ROUSE_TASK_ID: task.id,
    ROUSE_AGENT_ID: setting.agentId,
    ROUSE_RUNTIME_ID: setting.runtimeId,
    ROUSE_ATTEMPT: String(task.fence),
    // What was wrong with the attempt before, so that this one can do better.
    ...(task.lastError ? { ROUSE_LAST_ERROR: `${task.lastError.code}: ${task.lastError.message}` } : {}),
    ROUSE_WORKSPACE: setting.workspace,
    ...(config.driver.type === 'command' ? { ROUSE_USAGE_FD: String(usageFd) } : {}),
    ...(task.message ? messageVariables(task.message) : {}),
  };
}

function messageVariables({ id, from, topic, replyTo }: Message): Record<string, string> {
  return {
    ROUSE_MESSAGE_ID: id,
    ROUSE_MESSAGE_FROM: from.id,
    ...(topic === null ? {} : { ROUSE_MESSAGE_TOPIC: topic }),
    ...(replyTo === null ? {} : { ROUSE_MESSAGE_REPLY_TO: replyTo }),
  };
}
