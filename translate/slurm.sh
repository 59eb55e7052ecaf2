#!/usr/bin/env bash
# Translates a language a job on a SLURM cluster, each with its memory on its own machine's disk:
#
#     mkdir -p logs && sbatch --array 0-8 translate/slurm.sh zh fr es ru ja ar hi bn ur
#
# Run it in the repository's folder, which all machines must share, as they must data/. The memory is
# copied to the machine before, and back after: what lies in data/ is never open there. Five minutes
# before the time limit the run stops, and the job goes back into the queue.
#SBATCH --job-name=palo-translate
#SBATCH --ntasks=1
#SBATCH --gpus=1
#SBATCH --cpus-per-task=12
#SBATCH --time=24:00:00
#SBATCH --signal=INT@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=logs/%x-%A-%a.out

set -euo pipefail

languages=("$@")
lang=${languages[${SLURM_ARRAY_TASK_ID:?start it with sbatch --array}]:?name a language for every task}
export PROFILE=${PROFILE:-palo}
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}  # srun takes it from nowhere else

store=data/$PROFILE/memory
PALO_MEMORY_DIR=$(mktemp -d "${PALO_LOCAL_DIR:-/tmp}/palo-memory-XXXXXX")
export PALO_MEMORY_DIR
trap 'rm -rf "$PALO_MEMORY_DIR"' EXIT
was_ended=
trap 'was_ended=yes' TERM  # of `scancel` or of preemption: the copying back comes after it

mkdir -p "$store"
for name in "$lang.sqlite" "$lang.verified.sqlite"; do
    if [ -e "$store/$name" ]; then cp "$store/$name" "$PALO_MEMORY_DIR/"; fi
done

status=0
srun .venv/bin/palo translate --lang "$lang" || status=$?

# Opening and closing it takes into the file what a run that was killed left in SQLite's log.
.venv/bin/palo memory stats --lang "$lang"
if [ -e "$PALO_MEMORY_DIR/$lang.sqlite" ]; then
    cp "$PALO_MEMORY_DIR/$lang.sqlite" "$store/.$lang.sqlite.new"
    sync "$store/.$lang.sqlite.new"
    mv "$store/.$lang.sqlite.new" "$store/$lang.sqlite"
fi

if [ "$status" -eq 130 ] && [ -z "$was_ended" ]; then
    echo "Job $SLURM_JOB_ID goes back into the queue; it goes on where it stopped."
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
