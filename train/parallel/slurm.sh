#!/usr/bin/env bash
# Trains one scale on several machines of a SLURM cluster:
#
#     mkdir -p logs && sbatch --nodes 2 train/parallel/slurm.sh 7b
#
# Run it in the repository's folder, which all machines must share, as they must data/.
# Every GPU is a task of its own, so that SLURM's signals reach the processes that train. Ten minutes
# before the time limit they save and end with exit code 75; only then the job goes back into the
# queue, and the next start goes on from what was saved.
#SBATCH --job-name=palo
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=12
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@600
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=logs/%x-%j.out

set -euo pipefail

scale=${1:?say which scale: sbatch train/parallel/slurm.sh 7b}
export PROFILE=${PROFILE:-palo}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-8}
# srun takes it from nowhere else since SLURM 22.05, and would leave every task one core
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}

MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)
export MASTER_ADDR MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))

# SIGTERM comes with `scancel`, whose job is to end, and with preemption, after which SLURM puts
# the job back by itself; the shell waits for the tasks, which save.
was_ended=
trap 'was_ended=yes' TERM

# A task that ends is no reason to kill the others while they end, but two minutes later it is.
status=0
# shellcheck disable=SC2016
srun --kill-on-bad-exit=0 --wait=120 bash -c '
    export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS
    export LOCAL_WORLD_SIZE=$SLURM_NTASKS_PER_NODE
    exec .venv/bin/python -m palo train --scale "$0"' "$scale" || status=$?

if [ "$status" -eq 75 ] && [ -z "$was_ended" ]; then
    echo "Job $SLURM_JOB_ID goes back into the queue; it goes on from what was saved."
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
