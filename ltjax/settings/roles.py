def lane_values(experiment):
    train = experiment.train
    return {"train.learning_rate": train.learning_rate, "train.warmup": train.warmup}
